//! A fit as a table.

use std::fmt;

use statrs::function::erf::erfc;

use crate::{Approximation, Criterion, Dispersion, Family, Fit, RandomEffects};

impl fmt::Display for Fit {
    /// Method, criteria, random effects, fixed effects and diagnostics, in the order of lme4's summary.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "{} mixed model by {}", self.family, self.method())?;
        let name = if self.is_reml() { "REML criterion" } else { "-2 log-likelihood" };
        writeln!(f, "{name} {:.4}, AIC {:.4}, BIC {:.4}", self.deviance, self.aic, self.bic)?;
        if !self.random.is_empty() {
            writeln!(f, "\nRandom effects")?;
            self.random.iter().try_for_each(|term| write_term(f, term))?;
        }
        match self.dispersion {
            Dispersion::One => {}
            Dispersion::ResidualStd(std) => writeln!(f, "  residual standard deviation {std:.5}")?,
            Dispersion::Size(size) => writeln!(f, "  size {size:.5}")?,
            Dispersion::Shape(shape) => writeln!(f, "  shape {shape:.5}")?,
        }
        let groups: Vec<String> =
            self.random.iter().map(|term| format!("{} levels of {}", term.levels.len(), term.group)).collect();
        writeln!(f, "  {} rows{}{}", self.n_rows, if groups.is_empty() { "" } else { ", " }, groups.join(", "))?;
        self.write_fixed(f)?;
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
            (_, Approximation::ProfiledLaplace) => "maximum likelihood (Laplace, fixed effects profiled)".into(),
            (_, Approximation::Laplace) => "maximum likelihood (Laplace)".into(),
            (_, Approximation::Quadrature { n_nodes }) => {
                format!("maximum likelihood (adaptive Gauss-Hermite quadrature, {n_nodes} nodes)")
            }
        }
    }

    fn write_fixed(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let width = self.fixed_names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        writeln!(f, "\nFixed effects")?;
        let statistic = if self.family == Family::Gaussian { "t value" } else { "z value" };
        write!(f, "  {:width$} {:>11} {:>11} {:>9}", "", "estimate", "std. error", statistic)?;
        for (index, (name, std_error)) in self.fixed_names.iter().zip(self.std_errors()).enumerate() {
            let (estimate, ratio) = (self.fixed[index], self.fixed[index] / std_error);
            write!(f, "\n  {name:width$} {estimate:>11.5} {std_error:>11.5} {ratio:>9.3}")?;
            // Student's degrees of freedom are unknown for a linear mixed model, so it gets no p-value.
            if self.family != Family::Gaussian {
                write!(f, "  p {:.2e}", erfc(ratio.abs() / std::f64::consts::SQRT_2))?;
            }
        }
        Ok(())
    }
}

fn write_term(f: &mut fmt::Formatter, term: &RandomEffects) -> fmt::Result {
    let width = term.effect_names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let correlation = term.correlation();
    for (index, (name, std)) in term.effect_names.iter().zip(term.std()).enumerate() {
        let group = if index == 0 { term.group.as_str() } else { "" };
        write!(f, "  {group:12} {name:width$} standard deviation {std:.5}")?;
        for other in 0..index {
            write!(f, "{}{:6.3}", if other == 0 { "  correlations" } else { "" }, correlation[(index, other)])?;
        }
        writeln!(f)?;
    }
    Ok(())
}
