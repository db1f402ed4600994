"""The same training step in PyTorch, for `bench step --peer`.

Reads one JSON object from standard input: the widths of the networks, rows and samples of a batch, steps and threads.
Prints one JSON object: milliseconds a step, wall time, the best and the median.
"""

import json
import os
import statistics
import sys
import time

task = json.load(sys.stdin)
os.environ["OMP_NUM_THREADS"] = str(task["threads"])

import torch  # noqa: E402 (it reads the variable above)
from torch import nn  # noqa: E402

torch.set_num_threads(task["threads"])
torch.manual_seed(0)
rows, samples, latent = task["rows"], task["samples"], task["latent"]
device = torch.device(task["device"])


class Block(nn.Module):
    """A linear map, normalization and a PReLU; with a skip path, another linear map beside a direct one."""

    def __init__(self, n_in, n_out, slope, skip):
        super().__init__()
        self.inner, self.norm, self.slope = nn.Linear(n_in, n_out), nn.LayerNorm(n_out), slope
        self.outer = nn.Linear(n_out, n_out, bias=False) if skip else None
        self.through = nn.Linear(n_in, n_out) if skip else None

    def forward(self, x):
        h = self.slope(self.norm(self.inner(x)))
        return h if self.outer is None else self.outer(h) + self.through(x)


def network(n_in, hidden, slope, skip):
    widths = [n_in, *hidden]
    return nn.Sequential(*[Block(a, b, slope, skip) for a, b in zip(widths, widths[1:])])


def head(n_in, n_out, slope, skip):
    return Block(n_in, n_out, slope, True) if skip else nn.Linear(n_in, n_out)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        hidden, self.slope = task["hidden"], nn.PReLU()
        skip = task["skip_encoder"]
        self.encoder = network(task["observed"], hidden[::-1], self.slope, skip)
        self.mean = head(hidden[0], latent, self.slope, skip)
        self.log_variance = head(hidden[0], latent, self.slope, skip)
        skip = task["skip_decoder"]
        self.decoder = network(latent, hidden, self.slope, skip)
        self.signal = head(hidden[-1], task["signal"], self.slope, skip)
        if task["likelihood_parameters"]:
            self.own = nn.Parameter(torch.zeros(task["likelihood_parameters"]))

    def log_likelihood(self, x, signal):
        n_fixed = task["likelihood_parameters"]
        if task["likelihood"] == "normal":
            return -0.5 * ((x - signal) ** 2).sum(-1) / task["variance"]
        if task["likelihood"] == "logistic":
            log_odds = (x[..., :-1] * signal).sum(-1)
            return x[..., -1] * log_odds - nn.functional.softplus(log_odds)
        if task["likelihood"] == "bernoulli":
            return (x * signal - nn.functional.softplus(signal)).sum(-1)
        if task["likelihood"] == "negative-binomial":
            mean = (torch.softmax(signal, -1) * x.sum(-1, keepdim=True)).clamp(1e-10)
            r = self.own.exp().clamp(1e-10)
            value = x * torch.log(mean / r) - (x + r) * torch.log1p(mean / r)
            return (value + torch.lgamma(x + r) - torch.lgamma(r) - torch.lgamma(x + 1)).sum(-1)
        fixed, random, count = x[..., :n_fixed], x[..., n_fixed:-1], x[..., -1]
        log_rate = (fixed @ self.own + (random * signal).sum(-1)).clamp(-10, 10)
        return count * log_rate - log_rate.exp() - torch.lgamma(count + 1)

    def loss(self, x):
        """Of AAIS with the published gradient."""
        h = self.encoder(x)
        mean, log_variance = self.mean(h), self.log_variance(h).clamp(-20, 20)
        noise = torch.randn(rows, samples, latent, device=device)
        z = mean + (0.5 * log_variance).exp() * noise
        log_likelihood = self.log_likelihood(x, self.signal(self.decoder(z)))
        log_weights = log_likelihood.detach() - 0.5 * (z**2).sum(-1) + 0.5 * (noise**2).sum(-1)
        weights = torch.softmax(log_weights, 1)
        kl = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(-1).mean()
        return kl - (weights * log_likelihood).sum(1).mean()


model = Model().to(device)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
x = torch.randn(rows, 1, task["observed"])
if task["likelihood"] == "poisson":
    x = torch.cat([0.2 * x[..., :-1], torch.poisson(torch.ones(rows, 1, 1))], -1)
if task["likelihood"] in ("logistic", "bernoulli"):
    x = (x > 0).float()
if task["likelihood"] == "negative-binomial":
    x = torch.poisson(torch.full_like(x, 3.0))
x = x.to(device)


def wait():
    if device.type == "cuda":
        torch.cuda.synchronize()


# A GPU works behind: it is waited for after many steps only, as in training.
steps_at_once = 1 if device.type == "cpu" else 20
times = []
for _ in range(3 + task["steps"]):
    wait()
    started = time.perf_counter()
    for _ in range(steps_at_once):
        optimizer.zero_grad()
        model.loss(x).backward()
        optimizer.step()
    wait()
    times.append(1e3 * (time.perf_counter() - started) / steps_at_once)
times = times[3:]
print(json.dumps({"best": min(times), "median": statistics.median(times), "version": torch.__version__}))
