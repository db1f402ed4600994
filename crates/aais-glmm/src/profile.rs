//! Profile likelihood intervals.
//! Venables & Ripley, Modern Applied Statistics with S (2002), Section 8.4; Bates et al. (2015), Section 5.1,
//! doi:10.18637/jss.v067.i01.

mod end;
mod held;
mod surface;
mod track;

use std::fmt;

use statrs::function::erf::erfc_inv;

use crate::dense::dot;
use crate::objective::prepare;
use crate::optimize::Objective;
use crate::table::{Table, number};
use crate::{Approximation, Criterion, Design, Error, Family, Fit, Quantity, Result, Settings};

use end::find_end;
use surface::Surface;

/// A deviance lower than the fit's by this much says that the fit was not at its minimum. Searches leave 1e-8.
const LOWER: f64 = 1e-5;

/// Profile likelihood intervals of a fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// The probability with which they cover, in large samples.
    pub level: f64,
    /// In the order of [`Fit::quantities`].
    pub intervals: Vec<ProfileInterval>,
    /// How often the deviance was computed.
    pub n_evaluations: usize,
}

/// The values of one quantity whose deviance, least over everything else, is within `z²` of the minimum.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileInterval {
    /// What it is for.
    pub quantity: Quantity,
    /// Its name as lme4 writes it.
    pub name: String,
    /// The maximum likelihood estimate, for REML fits too.
    pub estimate: f64,
    /// The lower end; the edge of the range, such as zero for a standard deviation, where the data do not exclude it,
    /// and none where the deviance stays within its limit however far one goes, or cannot be computed further on.
    pub lower: Option<f64>,
    /// The upper end, likewise.
    pub upper: Option<f64>,
}

/// The profile likelihood intervals of all standard deviations, correlations, the dispersion and all fixed effects.
///
/// A quantity `q` has the signed root `ζ(q) = sign(q − q̂) √(D(q) − D(q̂))`, where `D` is the deviance minimized over
/// all other parameters; its interval is `|ζ| ≤ z` with the normal quantile `z` of `level`. As in lme4, linear models are
/// profiled by maximum likelihood, also where the fit is by REML. Where an effect does not vary at all, any
/// correlation with it fits as well: its interval is `[−1, 1]`.
///
/// `design` is the one that was fitted.
///
/// # Errors
/// Another design than the fit's, a level outside `(0, 1)`, a fit by [`Approximation::ProfiledLaplace`], or one that is
/// not at the minimum of its deviance.
///
/// ```
/// use aais_glmm::{Data, DesignOptions, Family, Formula, Settings, fit, profile};
///
/// let data = Data::new().with("y", [1.0, 3.0, 2.0, 5.0, 4.0])?.with("x", [0.0, 1.0, 2.0, 3.0, 4.0])?;
/// let design = Formula::parse("y ~ x")?.design(&data, &DesignOptions::default())?.design;
/// let fit = fit(&design, Family::Gaussian, &Settings::default())?;
///
/// let profile = profile(&design, &fit, 0.95)?;
/// let slope = &profile.intervals[2];
/// assert_eq!((slope.name.as_str(), slope.upper.is_some()), ("x", true));
/// println!("{profile}");
/// # Ok::<(), aais_glmm::Error>(())
/// ```
pub fn profile(design: &Design, fit: &Fit, level: f64) -> Result<Profile> {
    let mut intervals = Vec::new();
    let n_evaluations = with_profiler(design, fit, |profiler| {
        for quantity in profiler.fit.quantities() {
            intervals.push(profiler.interval(quantity, level)?);
        }
        Ok(profiler.surface.n_evaluations())
    })?;
    Ok(Profile { level, intervals, n_evaluations })
}

/// The profile likelihood interval of one quantity.
///
/// # Errors
/// Those of [`profile`], or a quantity that the model does not have.
pub fn profile_interval(design: &Design, fit: &Fit, quantity: Quantity, level: f64) -> Result<ProfileInterval> {
    with_profiler(design, fit, |profiler| profiler.interval(quantity, level))
}

/// The signed root `ζ` of a quantity's deviance at a value: a standard normal draw in large samples if the value is true.
///
/// # Errors
/// Those of [`profile`], a quantity that the model does not have, or a value outside its range or so far out that the
/// deviance cannot be computed.
pub fn signed_root(design: &Design, fit: &Fit, quantity: Quantity, value: f64) -> Result<f64> {
    with_profiler(design, fit, |profiler| {
        let mut track = profiler.track(quantity)?;
        let inner = if track.is_log { value.ln() } else { value };
        if !(inner.is_finite() && inner >= track.domain.lower && inner <= track.domain.upper) {
            return Err(Error::Setting { name: "the value of a profile", value, expected: "a value in its range" });
        }
        if track.is_free {
            return Ok(0.0);
        }
        let root = track.root(inner)?.ok_or_else(|| Error::Diverged { theta: track.profiler.fit.theta.clone() })?;
        Ok(root * (inner - track.centre).signum())
    })
}

fn with_profiler<T>(design: &Design, fit: &Fit, mut job: impl FnMut(&mut Profiler) -> Result<T>) -> Result<T> {
    let unavailable = |reason: String| Error::Unavailable { asked: "a profile", reason };
    if fit.family != Family::Gaussian && fit.settings.approximation == Approximation::ProfiledLaplace {
        return Err(unavailable("its deviance has no fixed effects; fit with `Approximation::Laplace`".into()));
    }
    fit.check_design(design, "a profile")?;
    let likely;
    let fit = if fit.family == Family::Gaussian && fit.settings.criterion == Criterion::Reml {
        let settings = Settings { criterion: Criterion::MaximumLikelihood, ..fit.settings };
        likely = crate::fit(design, fit.family, &settings)?;
        &likely
    } else {
        fit
    };
    let problem = prepare(design, fit.family, &fit.settings)?;
    let mut surface = Surface::new(&problem, design, fit)?;
    let estimate = surface::vector(fit);
    let diverged = || Error::Diverged { theta: fit.theta.clone() };
    let minimum = surface.value(&estimate).ok_or_else(diverged)?;
    if (minimum - fit.deviance).abs() > LOWER {
        return Err(unavailable("the design has other numbers than the one that was fitted".into()));
    }
    let gradient = surface.gradient(&estimate);
    let inverse = surface.inverse_hessian(fit, &estimate).ok_or_else(diverged)?;
    let decrease: f64 = inverse
        .chunks(gradient.len().max(1))
        .zip(&gradient)
        .map(|(row, slope)| 0.5 * slope * dot(row, &gradient))
        .sum();
    if decrease > LOWER {
        return Err(not_at_minimum(decrease));
    }
    job(&mut Profiler { fit, surface, estimate, minimum, inverse })
}

/// A fit's deviance, and what is known of it at its minimum.
struct Profiler<'a> {
    fit: &'a Fit,
    surface: Surface<'a>,
    estimate: Vec<f64>,
    minimum: f64,
    inverse: Vec<f64>,
}

impl<'a> Profiler<'a> {
    fn interval(&mut self, quantity: Quantity, level: f64) -> Result<ProfileInterval> {
        if !(level > 0.0 && level < 1.0) {
            return Err(Error::Setting { name: "level", value: level, expected: "a number between 0 and 1" });
        }
        let root = std::f64::consts::SQRT_2 * erfc_inv(1.0 - level);
        let name = self.fit.quantity_name(quantity).ok_or_else(missing)?;
        let estimate = self.fit.estimate(quantity).ok_or_else(missing)?;
        let mut track = self.track(quantity)?;
        if track.is_free {
            return Ok(ProfileInterval { quantity, name, estimate, lower: Some(-1.0), upper: Some(1.0) });
        }
        let mut ends = [None; 2];
        for (end, side) in ends.iter_mut().zip([-1.0, 1.0]) {
            track.known = vec![(track.centre, track.profiler.estimate.clone())];
            let (centre, step, domain) = (track.centre, side * root * track.std_error, track.domain);
            let found = find_end(centre, step, domain, root, |value| track.root(value))?;
            *end = found.map(|value| if track.is_log { value.exp() } else { value });
        }
        Ok(ProfileInterval { quantity, name, estimate, lower: ends[0], upper: ends[1] })
    }
}

/// The deviance falls by so much below the fit's.
fn not_at_minimum(decrease: f64) -> Error {
    let reason = format!("the deviance falls by {decrease:.1e} below that of the fit, which is not at its minimum");
    Error::Unavailable { asked: "a profile", reason }
}

fn missing() -> Error {
    Error::Unavailable { asked: "a profile", reason: "the model has no such quantity; see `Fit::quantities`".into() }
}

impl fmt::Display for Profile {
    /// One line for each quantity; `-` where an interval has no end.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut table = Table::new(1, &["", "estimate", "lower", "upper"]);
        let end = |end: Option<f64>| end.map_or("-".into(), number);
        for ProfileInterval { name, estimate, lower, upper, .. } in &self.intervals {
            table.push(vec![name.clone(), number(*estimate), end(*lower), end(*upper)]);
        }
        write!(f, "Profile likelihood intervals, level {}\n{table}", self.level)
    }
}
