"""Loss, gradients, running moments and evaluation of a tiny scVI model in PyTorch, for tests/scvi_golden.rs.

python tests/golden/scvi.py        (PyTorch 2.15, double precision)

Parameters are 0.3 sin(i + start), with start = 7 k + 3 for the k-th of them, gains 1 + that. The noise is that of Noise::new(5): its standard normals, and its
stream "dropout", of which values below the rate 0.3 are dropped.
"""

import torch
from torch import nn

torch.set_default_dtype(torch.float64)
GENES, HIDDEN, LATENT, RATE, KL_WEIGHT = 4, 3, 2, 0.3, 0.25
COUNTS = torch.tensor([[3, 0, 1, 12], [0, 5, 0, 2], [40, 1, 7, 0], [2, 2, 2, 2], [0, 0, 1, 9]], dtype=torch.float64)
NORMALS = torch.tensor(
    [[1.3692429, -0.12108083], [0.6779928, 0.6978426], [-0.21396849, 1.1795268], [0.37707537, 1.2200466],
     [-0.47025687, -1.0053394]])
UNIFORMS = torch.tensor(
    [[0.84729385, 0.96068597, 0.96041507], [0.36405098, 0.32154608, 0.965911], [0.361278, 0.41748577, 0.21930104],
     [0.8844001, 0.21763295, 0.80794626], [0.531733, 0.455926, 0.5959755]])


def fill(parameter, start, gain=0.0):
    steps = torch.arange(parameter.numel(), dtype=torch.float64) + start
    parameter.data = (gain + 0.3 * torch.sin(steps)).reshape(parameter.shape)


encoder, decoder = nn.Linear(GENES, HIDDEN), nn.Linear(LATENT, HIDDEN)
norms = [nn.BatchNorm1d(HIDDEN, eps=1e-3, momentum=0.01) for _ in range(2)]
mean, log_variance, scale = nn.Linear(HIDDEN, LATENT), nn.Linear(HIDDEN, LATENT), nn.Linear(HIDDEN, GENES)
dispersion = nn.Parameter(torch.zeros(GENES))
parameters = [encoder.weight, encoder.bias, norms[0].weight, norms[0].bias, mean.weight, mean.bias,
              log_variance.weight, log_variance.bias, decoder.weight, decoder.bias, norms[1].weight, norms[1].bias,
              scale.weight, scale.bias, dispersion]
for k, parameter in enumerate(parameters):
    fill(parameter, 7 * k + 3, 1.0 if k in (2, 10) else 0.0)


def propose(counts, kept):
    hidden = torch.relu(norms[0](encoder(counts))) * kept
    return mean(hidden), torch.exp(log_variance(hidden)) + 1e-4


def log_likelihood(z, counts):
    means = torch.softmax(scale(torch.relu(norms[1](decoder(z)))), -1) * counts.sum(1, keepdim=True)
    theta, eps = torch.exp(dispersion), 1e-8
    total = torch.log(theta + means + eps)
    return (theta * (torch.log(theta + eps) - total) + counts * (torch.log(means + eps) - total)
            + torch.lgamma(counts + theta) - torch.lgamma(theta) - torch.lgamma(counts + 1)).sum(1)


mu, variance = propose(COUNTS, (UNIFORMS >= RATE) / (1 - RATE))
q = torch.distributions.Normal(mu, variance.sqrt())
kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
reconstruction = log_likelihood(mu + variance.sqrt() * NORMALS, COUNTS)
loss = (KL_WEIGHT * kl - reconstruction).mean()
loss.backward()

show = lambda values: "[" + ", ".join(f"{v:.10g}" for v in values.detach().flatten().tolist()) + "]"
print(f"const LOSS: [f64; 3] = {show(torch.stack([loss, reconstruction.mean(), kl.mean()]))};")
for k, parameter in enumerate(parameters):
    print(f"    &{show(parameter.grad)},")
for norm in norms:
    print(f"    &{show(norm.running_mean)},\n    &{show(norm.running_var)},")
for norm in norms:
    norm.eval()
mu, variance = propose(COUNTS, 1.0)
print(f"const MEANS: [f64; 10] = {show(mu)};\nconst VARIANCES: [f64; 10] = {show(variance)};")
print(f"const EVALUATED: [f64; 5] = {show(log_likelihood(mu, COUNTS))};")
