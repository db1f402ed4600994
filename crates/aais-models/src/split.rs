//! Rows to train on and rows to keep aside.

use aais_distributions::Noise;

use crate::error::{Result, require};

/// Positions in a data set, each set in rising order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Rows to train on.
    pub train: Vec<usize>,
    /// The others.
    pub held_out: Vec<usize>,
}

impl Split {
    /// A random split of `n_rows`, of which the share `train_share`, rounded up, is trained on.
    ///
    /// # Errors
    /// If the share does not lie above 0 and at most at 1.
    pub fn random(n_rows: usize, train_share: f64, noise: &mut Noise) -> Result<Self> {
        require(train_share > 0.0 && train_share <= 1.0, "train_share", "above 0 and at most 1", train_share)?;
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "rows are far below 2^52, and a share of them is not negative"
        )]
        let n_train = (train_share * n_rows as f64).ceil() as usize;
        let mut train = noise.permutation(n_rows);
        let mut held_out = train.split_off(n_train.min(n_rows));
        train.sort_unstable();
        held_out.sort_unstable();
        Ok(Self { train, held_out })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_on_one_side_and_the_share_is_rounded_up() {
        let split = Split::random(3005, 0.9, &mut Noise::new(1)).unwrap();
        assert_eq!((split.train.len(), split.held_out.len()), (2705, 300));
        let mut all = [split.train.clone(), split.held_out.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..3005).collect::<Vec<_>>());
        assert_eq!(split, Split::random(3005, 0.9, &mut Noise::new(1)).unwrap());
        assert_ne!(split, Split::random(3005, 0.9, &mut Noise::new(2)).unwrap());
    }

    #[test]
    fn a_share_of_one_keeps_nothing_aside_and_others_are_refused() {
        assert!(Split::random(7, 1.0, &mut Noise::new(1)).unwrap().held_out.is_empty());
        for share in [0.0, 1.1, f64::NAN] {
            assert!(Split::random(7, share, &mut Noise::new(1)).is_err());
        }
    }
}
