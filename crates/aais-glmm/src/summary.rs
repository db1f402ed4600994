//! A fit as a table.

use std::fmt;

use statrs::function::erf::erfc;

use crate::table::{Table, number};
use crate::{Approximation, Criterion, Dispersion, Family, Fit};

impl fmt::Display for Fit {
    /// Method, criteria, random effects, fixed effects and diagnostics, in the order of lme4's summary.
    ///
    /// Standard errors `given theta` hold the covariance parameters; where they have a column of their own, the others
    /// come from the Hessian, and it is these that the z values are for.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let kind = if self.random.is_empty() { "model" } else { "mixed model" };
        writeln!(f, "{} {kind} by {}", self.family, self.method())?;
        let name = if self.is_reml() { "REML criterion" } else { "-2 log-likelihood" };
        writeln!(f, "{name} {:.4}, AIC {:.4}, BIC {:.4}", self.deviance, self.aic, self.bic)?;
        let counts = self.random.iter().map(|term| format!(", {} levels of {}", term.levels.len(), term.group));
        write!(f, "{} rows{}", self.n_rows, counts.collect::<String>())?;
        if !self.random.is_empty() || !matches!(self.dispersion, Dispersion::One) {
            write!(f, "\n\nRandom effects\n{}", self.random_table())?;
        }
        if !self.fixed.is_empty() {
            write!(f, "\n\nFixed effects\n{}", self.fixed_table())?;
        }
        if !self.diagnostics.is_empty() {
            writeln!(f)?;
        }
        self.diagnostics.iter().try_for_each(|diagnostic| write!(f, "\nnote: {diagnostic}"))
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Gaussian => "gaussian (identity)",
            Self::Binomial(crate::BinomialLink::Logit) => "binomial (logit)",
            Self::Binomial(crate::BinomialLink::Probit) => "binomial (probit)",
            Self::Binomial(crate::BinomialLink::Cloglog) => "binomial (cloglog)",
            Self::Poisson => "poisson (log)",
            Self::NegativeBinomial => "negative binomial (log)",
            Self::Gamma => "gamma (log)",
        })
    }
}

impl Fit {
    fn is_reml(&self) -> bool {
        self.family == Family::Gaussian && self.settings.criterion == Criterion::Reml
    }

    fn method(&self) -> String {
        match (self.family, self.settings.approximation) {
            (Family::Gaussian, _) if self.is_reml() => "REML".into(),
            (Family::Gaussian, _) => "maximum likelihood".into(),
            _ if self.random.is_empty() => "maximum likelihood".into(),
            (_, Approximation::ProfiledLaplace) => "maximum likelihood (Laplace, fixed effects profiled)".into(),
            (_, Approximation::Laplace) => "maximum likelihood (Laplace)".into(),
            (_, Approximation::Quadrature { n_nodes }) => {
                format!("maximum likelihood (adaptive Gauss-Hermite quadrature, {n_nodes} nodes)")
            }
        }
    }

    fn random_table(&self) -> Table {
        let widest = self.random.iter().map(|term| term.effect_names.len()).max().unwrap_or(0);
        let correlations = if widest > 1 { "correlations" } else { "" };
        let mut table = Table::new(2, &["group", "effect", "variance", "std. dev.", correlations]);
        for term in &self.random {
            let correlation = term.correlation();
            for (index, (name, std)) in term.effect_names.iter().zip(term.std()).enumerate() {
                let group = if index == 0 { term.group.clone() } else { String::new() };
                let others = (0..index).map(|other| format!("{:6.3}", correlation[(index, other)]));
                let others = others.collect::<Vec<_>>().join(" ");
                // The first correlation stays under the first of the other rows.
                let others = if index == 0 { others } else { format!("{others:width$}", width = 7 * (widest - 1) - 1) };
                table.push(vec![group, name.clone(), number(std * std), number(std), others]);
            }
        }
        match self.dispersion {
            Dispersion::One => {}
            Dispersion::ResidualStd(std) => {
                table.push(vec!["residual".into(), String::new(), number(std * std), number(std)]);
            }
            Dispersion::Size(size) => table.push(vec!["size".into(), String::new(), number(size)]),
            Dispersion::Shape(shape) => table.push(vec!["shape".into(), String::new(), number(shape)]),
        }
        table
    }

    fn fixed_table(&self) -> Table {
        let is_linear = self.family == Family::Gaussian;
        let has_both = !is_linear && self.settings.approximation != Approximation::ProfiledLaplace;
        let mut heads = vec!["", "estimate", "std. error"];
        heads.extend(has_both.then_some("given theta"));
        // Student's degrees of freedom are unknown for a linear mixed model, so it gets no p-value.
        heads.extend(if is_linear { ["t value"].as_slice() } else { &["z value", "P(> |z|)"] });
        let mut table = Table::new(1, &heads);
        let errors = self.std_errors().into_iter().zip(self.std_errors_given_theta());
        for ((name, estimate), (std_error, given_theta)) in self.fixed_names.iter().zip(&self.fixed).zip(errors) {
            let mut row = vec![name.clone(), number(*estimate), number(std_error)];
            row.extend(has_both.then(|| number(given_theta)));
            let ratio = estimate / std_error;
            row.push(format!("{ratio:.3}"));
            if !is_linear {
                row.push(probability(erfc(ratio.abs() / std::f64::consts::SQRT_2)));
            }
            table.push(row);
        }
        table
    }
}

fn probability(value: f64) -> String {
    if value < 1e-300 {
        "< 1e-300".into()
    } else if value < 1e-3 {
        format!("{value:.2e}")
    } else {
        format!("{value:.5}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_short() {
        assert_eq!([0.2, 0.00012, 0.0].map(probability), ["0.20000", "1.20e-4", "< 1e-300"]);
    }
}
