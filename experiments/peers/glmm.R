# The same mixed model in lme4, for `bench glmm --peer`. Arguments: CSV file, formula.
# Prints one JSON object: seconds of a fit, the least of as many as fit into ten seconds, and its log-likelihood.
suppressPackageStartupMessages(library(lme4))
arguments <- commandArgs(trailingOnly = TRUE)
data <- read.csv(arguments[1], stringsAsFactors = TRUE)
formula <- as.formula(arguments[2])
best <- Inf
begun <- proc.time()[["elapsed"]]
repeat {
  started <- proc.time()[["elapsed"]]
  fit <- suppressWarnings(suppressMessages(glmer(formula, data, family = binomial)))
  best <- min(best, proc.time()[["elapsed"]] - started)
  if (proc.time()[["elapsed"]] - begun > 10) break
}
cat(sprintf('{"seconds": %.6f, "log_likelihood": %.8f, "version": "%s"}\n',
            best, as.numeric(logLik(fit)), as.character(packageVersion("lme4"))))
