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
    /// From `low` evenly upward, an `epochs`-th of the way an epoch, and `high` from then on: a warm-up.
    Rising {
        /// Value of the first epoch.
        low: f64,
        /// Value that is kept.
        high: f64,
        /// Epochs until then.
        epochs: usize,
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
            Self::Rising { high, epochs, .. } if progress.epoch >= epochs => high,
            Self::Rising { low, high, epochs } => {
                #[expect(clippy::cast_precision_loss, reason = "epochs are far below 2^52")]
                let share = progress.epoch as f64 / epochs as f64;
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

    #[test]
    fn a_scaled_cycle_is_the_cycle_times_its_scale() {
        let cycle = |high| Schedule::Cyclical { low: 0.0, high, period: 25, ramp: 12 };
        for epoch in 0..60 {
            let at = |schedule: Schedule| schedule.at(Progress { epoch, step: 0 });
            assert!((at(cycle(1e-4)) - 1e-4 * at(cycle(1.0))).abs() < 1e-19, "{epoch}");
        }
    }

    #[test]
    fn a_warm_up_rises_once() {
        let schedule = Schedule::Rising { low: 0.0, high: 1.0, epochs: 400 };
        let at = |epoch| schedule.at(Progress { epoch, step: 7 });
        assert_eq!([at(0), at(100), at(399), at(400), at(4000)], [0.0, 0.25, 0.9975, 1.0, 1.0]);
        let none = Schedule::Rising { low: 0.0, high: 1.0, epochs: 0 };
        assert_eq!(none.at(Progress { epoch: 0, step: 0 }), 1.0);
    }

    #[test]
    fn keys_tell_the_kinds_apart() {
        let read =
            |text: &str| toml::from_str::<std::collections::BTreeMap<String, Schedule>>(text).map(|all| all["beta"]);
        assert_eq!(read("beta = 0.5"), Ok(Schedule::Constant(0.5)));
        let cycle = Schedule::Cyclical { low: 0.0, high: 1e-4, period: 25, ramp: 12 };
        assert_eq!(read("beta = { low = 0.0, high = 1e-4, period = 25, ramp = 12 }"), Ok(cycle));
        let rising = Schedule::Rising { low: 0.0, high: 1.0, epochs: 400 };
        assert_eq!(read("beta = { low = 0.0, high = 1.0, epochs = 400 }"), Ok(rising));
        assert!(read("beta = { low = 0.0, high = 1.0 }").is_err());
    }
}
