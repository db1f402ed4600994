//! Settings that change while training goes on.

use serde::Deserialize;

/// How far training has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Epochs finished before this one.
    pub epoch: usize,
    /// Steps finished within this epoch.
    pub step: usize,
}

/// A value for every point of training; in a config, a number or a table.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Schedule {
    /// The same throughout.
    Constant(f64),
    /// Cycles of epochs: `ramp` values evenly spaced from `low` to `high`, then `high` for the rest of `period`.
    ///
    /// Fu et al. (2019), but by epochs; the authors' code has period 25 and ramp 12. Deviation 17.
    Cyclical {
        /// First value of a cycle.
        low: f64,
        /// Last value of a cycle.
        high: f64,
        /// Epochs of a cycle.
        period: usize,
        /// Epochs in which the value rises.
        ramp: usize,
    },
}

impl Schedule {
    /// The value at a point of training.
    pub fn at(&self, progress: Progress) -> f64 {
        match *self {
            Self::Constant(value) => value,
            Self::Cyclical { low, high, period, ramp } => {
                let position = progress.epoch % period.max(1);
                if position >= ramp || ramp < 2 {
                    return high;
                }
                #[expect(clippy::cast_precision_loss, reason = "epochs are far below 2^52")]
                let share = position as f64 / (ramp - 1) as f64;
                low + share * (high - low)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_rises_and_stays() {
        let schedule = Schedule::Cyclical { low: 0.0, high: 1.0, period: 25, ramp: 12 };
        let at = |epoch| schedule.at(Progress { epoch, step: 0 });
        assert_eq!([at(0), at(11), at(12), at(24), at(25)], [0.0, 1.0, 1.0, 1.0, 0.0]);
        assert!((at(1) - 1.0 / 11.0).abs() < 1e-15);
    }
}
