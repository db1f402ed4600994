"""UMAP and PaCMAP of the reference programs on the cells of Table 6.

    python3 embeddings.py cortex_4000genes.txt.gz ../../datasets/tests/data/cortex_4000_highly_variable.txt > embeddings.json

Needs umap-learn, pacmap and scikit-learn. Ten coordinates, k-means with the best of 50 starts, seeds from 1 on.
Prints one JSON object: versions, and ARI and NMI of every seed by transform and program.
"""

import gzip
import json
import sys
import warnings
from importlib.metadata import version

import numpy as np
import pacmap
import umap
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

warnings.filterwarnings("ignore")
table, chosen = sys.argv[1:]
with gzip.open(table, "rt") as file:
    lines = [line.rstrip("\n").split("\t") for line in file]
classes = next(line[2:] for line in lines[:10] if line[1] == "level1class")
names = [line[0] for line in lines[11:]]
counts = np.array([[float(value) for value in line[2:]] for line in lines[11:]]).T
with open(chosen) as file:
    genes = [line.split()[0] for line in file if not line.startswith("#")]
some = counts[:, [names.index(gene) for gene in genes]]


def log_of_scaled(totals):
    return np.log1p(some / totals[:, None] * np.median(totals))


inputs = {
    "counts": (some, 2),
    "logarithms, totals of the 1,200 genes": (log_of_scaled(some.sum(1)), 8),
    "logarithms, totals of the 4,000 genes": (log_of_scaled(counts.sum(1)), 2),
}
programs = {
    "umap-learn": lambda points, seed: umap.UMAP(n_components=10, random_state=seed).fit_transform(points),
    "pacmap": lambda points, seed: pacmap.PaCMAP(n_components=10, random_state=seed).fit_transform(points),
}
found = {}
for transform, (points, seeds) in inputs.items():
    for program, embed in programs.items():
        ari, nmi = [], []
        for seed in range(1, seeds + 1):
            embedded = embed(points.astype(np.float32), seed)
            clusters = KMeans(7, n_init=50, random_state=seed).fit_predict(embedded)
            ari.append(round(float(adjusted_rand_score(classes, clusters)), 4))
            nmi.append(round(float(normalized_mutual_info_score(classes, clusters)), 4))
        found.setdefault(transform, {})[program] = {"ari": ari, "nmi": nmi}
versions = {name: version(name) for name in ["umap-learn", "pacmap", "scikit-learn", "numpy"]}
print(json.dumps({"versions": versions, "found": found}, indent=1))
