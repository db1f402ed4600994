# What R and lme4 make of formulas. Rscript designs.R > designs.txt
#
# A line of fixed effects: formula, names of the columns of model.matrix, sum of row number times value of each column,
# and the columns that qr() moves to the end.
# A line of random terms: formula, then group, effects and levels of each term of lFormula, separated by |.
suppressMessages(library(lme4))
cat("# ", R.version.string, ", lme4 ", as.character(packageVersion("lme4")), "\n", sep = "")

i <- 0:23
data <- data.frame(
  y = (5 * i) %% 7, x = ((7 * i * i + 3 * i) %% 23) / 4, z = (11 * i + 5) %% 17 - 3, n = i %% 3 + 1,
  a = factor(c("a1", "a2")[i %% 2 + 1]),
  b = factor(c("b1", "b2", "b3")[(i %/% 2) %% 3 + 1]),
  c = factor(c("c1", "c2")[(i %/% 6) %% 2 + 1]),
  g = c(10, 9, 100)[(i %/% 3) %% 3 + 1],
  h = factor(c("p", "q")[(i %/% 4) %% 2 + 1], levels = c("q", "p")),
  `m n` = (i * i) %% 5, check.names = FALSE)

fixed <- c(
  "1", "0 + x", "x", "-1 + x", "x - 1", "a", "b", "0 + a", "0 + b", "a + b", "0 + a + b", "0 + x + a + b", "a * b",
  "a:b", "0 + a:b", "a + a:b", "b + a:b", "a:b + b", "b + a", "b + a + a:b", "a:x", "x:a", "x + a:x", "x * a",
  "0 + x * a", "0 + a:x", "0 + a + a:x", "a/b", "a/x", "b/a/x", "(a + b)/x", "(a + b + c)^2", "(a + b + c)^2 - a:b",
  "a * b * c", "a * b * c - a:b:c", "a:b:c", "a + a:b:c", "a + b + a:b:c", "a:b + b:c", "a:b + a:b:c",
  "0 + a:b + b:c", "x:z", "x * z", "a * x * z", "a:x:z", "log(n) + x", "I(x^2) + x", "sqrt(n):a", "exp(x/10)",
  "I((x + 1) * 2 - z/3)", "log(x + 1):b", "factor(n)", "factor(n) * x", "0 + factor(n) + x:factor(n)", "x + b - x",
  "a + b + c + b:c + a:b - a - b - c", "x:x", "a:a + x", "(a + x)^3", "(a * b)^2", "a + 0 + b", "a - 1 + 1",
  "a + b:x - 1", "I(-x^2) + I(2^-n)", "b:a + a", "(a + b):c", "a * (b + x)", "(x + z) * (a + b)", "a:b + x:a",
  "x:a + a:b", "`m n` * a + log1p(`m n`)", "x + I(3 * x - 1) + z + I(x + z)", "a + factor(n) + n")
commas <- function(x) if (length(x) == 0) "none" else paste(x, collapse = ", ")
for (right in fixed) {
  m <- model.matrix(as.formula(paste("y ~", right)), data)
  q <- qr(m)
  dependent <- sort(q$pivot[seq_len(ncol(m)) > q$rank])
  sums <- formatC(as.vector(seq_len(nrow(m)) %*% m), digits = 15, width = -1)
  cat("fixed; ", right, "; ", commas(colnames(m)), "; ", commas(sums), "; ", commas(colnames(m)[dependent]), "\n", sep = "")
}

random <- c(
  "(1 | g)", "(x | g)", "(1 + x | g)", "(0 + x | g)", "(a | g)", "(0 + a | g)", "(x || g)", "(a || g)",
  "(1 + a + x || g)", "(a * x || g)", "(0 + x || g)", "(a * x | g)", "(0 + a:x | g)", "(1 | g:h)", "(1 | h:g)",
  "(a + x || h:g)", "(1 | g) + (1 | h)", "(log(n) | g)", "(factor(n) | g)", "(-1 + b | h)", "(x + z - 1 || h)")
ignore <- lmerControl(check.nobs.vs.nRE = "ignore", check.nobs.vs.nlev = "ignore", check.nobs.vs.rankZ = "ignore")
for (right in random) {
  terms <- lFormula(as.formula(paste("y ~ 1 +", right)), data, control = ignore)$reTrms
  factors <- terms$flist[attr(terms$flist, "assign")]
  one <- function(k) paste0(names(terms$cnms)[k], " | ", commas(terms$cnms[[k]]), " | ",
                            commas(levels(factors[[k]])))
  cat("random; ", right, "; ", paste(sapply(seq_along(terms$cnms), one), collapse = "; "), "\n", sep = "")
}
