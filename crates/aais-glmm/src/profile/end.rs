//! Where a rising function of one variable reaches a level: an end of an interval.

use crate::Result;

/// Distance of `|ζ|` from its level at which an end is found: 1e-8 standard errors.
const CLOSE: f64 = 1e-8;

/// Evaluations for one end.
const MAX_TRIALS: usize = 50;

/// Longest step outward, as a multiple of the distance from the estimate.
const LONGEST: f64 = 3.0;

/// What remains of a first step that leads where no deviance can be computed.
const SHRINK: f64 = 0.1;

/// Longest steps outward that may follow each other: thirty thousand times the distance of a normal interval.
const MAX_LONGEST: usize = 10;

/// The range of a quantity, its edges included where they are finite.
#[derive(Debug, Clone, Copy)]
pub(super) struct Domain {
    pub lower: f64,
    pub upper: f64,
}

impl Domain {
    pub(super) const ALL: Self = Self { lower: f64::NEG_INFINITY, upper: f64::INFINITY };
}

/// A point seen: its distance from the centre and its root, infinite where there is none.
#[derive(Debug, Clone, Copy)]
struct Seen {
    distance: f64,
    root: f64,
}

/// Where `|ζ|` reaches `level` on the side of the centre that `step`, the first guess, points to.
///
/// The edge of the domain if `|ζ|` is below the level there, and none if there is no edge and no such place. A secant
/// search kept inside its bracket: `ζ` is nearly a straight line.
pub(super) fn find_end(
    centre: f64,
    step: f64,
    domain: Domain,
    level: f64,
    mut root: impl FnMut(f64) -> Result<Option<f64>>,
) -> Result<Option<f64>> {
    let side = step.signum();
    let edge = if side < 0.0 { domain.lower } else { domain.upper };
    let farthest = (edge - centre).abs();
    if farthest == 0.0 {
        return Ok(Some(edge));
    }
    let mut inside = Seen { distance: 0.0, root: 0.0 };
    let mut outside: Option<Seen> = None;
    let mut last = inside;
    let mut n_longest = 0;
    let mut distance = step.abs();
    for trial in 0..MAX_TRIALS {
        if !distance.is_finite() && !farthest.is_finite() {
            return Ok(None);
        }
        let at_edge = distance >= farthest;
        distance = distance.min(farthest);
        let value = if at_edge { edge } else { centre + side * distance };
        let seen = Seen { distance, root: root(value)?.unwrap_or(f64::INFINITY) };
        if (seen.root - level).abs() <= CLOSE {
            return Ok(Some(value));
        }
        let secant = line(last, seen, level);
        last = seen;
        if seen.root > level {
            outside = Some(seen);
        } else if at_edge {
            return Ok(Some(edge));
        } else {
            inside = seen;
        }
        distance = match outside {
            None => {
                let longest = LONGEST * seen.distance;
                let far = secant.filter(|far| *far > seen.distance && *far < longest);
                n_longest = if far.is_none() { n_longest + 1 } else { 0 };
                if n_longest > MAX_LONGEST {
                    return Ok(None);
                }
                far.unwrap_or(longest)
            }
            Some(outside) if outside.distance - inside.distance <= f64::EPSILON * outside.distance => {
                // As near as numbers go; beyond a place without a deviance there is no end.
                return Ok(outside.root.is_finite().then_some(value));
            }
            // A step that misses so far was no step at all.
            Some(outside) if inside.distance == 0.0 && outside.root.is_infinite() => SHRINK * outside.distance,
            Some(outside) => {
                let between = |far: &f64| *far > inside.distance && *far < outside.distance;
                // Every fourth time half the bracket goes, whatever the secant does.
                let middle = 0.5 * (inside.distance + outside.distance);
                secant.filter(between).filter(|_| trial % 4 < 3).unwrap_or(middle)
            }
        };
    }
    Ok(None)
}

/// Where the line through two points is at the level.
fn line(a: Seen, b: Seen, level: f64) -> Option<f64> {
    let far = b.distance + (level - b.root) * (b.distance - a.distance) / (b.root - a.root);
    far.is_finite().then_some(far)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const HALF: Domain = Domain { lower: 0.0, upper: f64::INFINITY };

    fn end(centre: f64, step: f64, domain: Domain, root: impl Fn(f64) -> Option<f64>) -> (Option<f64>, usize) {
        let mut n_calls = 0;
        let found = find_end(centre, step, domain, 2.0, |value| {
            n_calls += 1;
            Ok(root(value))
        });
        (found.unwrap(), n_calls)
    }

    #[test]
    fn a_line_is_met_at_once_and_a_curve_soon() {
        assert_eq!(end(1.0, 2.0, Domain::ALL, |x| Some((x - 1.0).abs())), (Some(3.0), 1));
        let (found, n_calls) = end(1.0, 0.3, Domain::ALL, |x| Some((x.exp() - 1.0_f64.exp()).abs()));
        assert!((found.unwrap() - (2.0 + 1.0_f64.exp()).ln()).abs() < 1e-8 && n_calls < 9, "{found:?} {n_calls}");
        let (found, n_calls) = end(1.0, -30.0, Domain::ALL, |x| Some((1.0 - x).powi(3)));
        assert!((found.unwrap() - (1.0 - 2.0_f64.cbrt())).abs() < 1e-8 && n_calls < 30, "{found:?} {n_calls}");
    }

    #[test]
    fn an_edge_within_the_level_is_the_end() {
        assert_eq!(end(1.0, -0.5, HALF, |x| Some(1.0 - x)).0, Some(0.0));
        assert_eq!(end(0.0, -0.5, HALF, |_| None).0, Some(0.0));
        // A root at the edge far above the level, and the end between.
        let (found, n_calls) = end(1.0, -2.0, HALF, |x| Some(40.0 * (1.0 - x).powi(2)));
        assert!((found.unwrap() - (1.0 - 0.05_f64.sqrt())).abs() < 1e-8 && n_calls < 20, "{found:?} {n_calls}");
    }

    #[test]
    fn without_an_end_there_is_none() {
        assert_eq!(end(0.0, 1.0, Domain::ALL, |x| Some(1.5 * x / (1.0 + x))).0, None);
        // Nothing can be computed from three on, and the level is not reached before.
        assert_eq!(end(0.0, 1.0, Domain::ALL, |x| (x < 3.0).then_some(0.5 * x)).0, None);
        // It is reached before.
        let found = end(0.0, 8.0, Domain::ALL, |x| (x < 3.0).then_some(x)).0.unwrap();
        assert!((found - 2.0).abs() < 1e-8, "{found}");
    }
}
