//! Points on the unit circle. Paper, section 4.2.1.

use std::collections::BTreeMap;

use aais_metrics::{mean_radius_error, share_inside};
use aais_models::LatentModel;
use anyhow::Result;
use ndarray::Array2;

use super::{Observation, Prepared, Truth, test_seed};
use crate::cell::{Generated, Outcome};
use crate::config::{CircleData, Evaluate};

/// The training points.
struct Circle {
    points: Vec<[f64; 2]>,
    /// What to draw for points that training has not seen.
    fresh: aais_datasets::Circle,
}

pub(super) fn prepare(settings: &CircleData) -> Result<Prepared> {
    let points = aais_datasets::circle(&settings.draw())?.points;
    let fresh = aais_datasets::Circle { seed: test_seed(&settings.seed), ..settings.draw() };
    let truth = Circle { points: points.rows().into_iter().map(|row| [row[0], row[1]]).collect(), fresh };
    Ok(Prepared::of(points, Observation::Normal { variance: settings.noise_variance }, truth))
}

impl Truth for Circle {
    fn judge(&self, generated: &[Vec<f64>], _: &LatentModel, evaluate: &Evaluate) -> Result<Outcome> {
        let points: Vec<[f64; 2]> = generated.iter().map(|row| [row[0], row[1]]).collect();
        let metrics = BTreeMap::from([
            ("radius_error".to_owned(), mean_radius_error(&points)?),
            ("inside".to_owned(), share_inside(&points, evaluate.inside.unwrap_or_default())?),
        ]);
        Ok(Outcome { metrics, generated: some_points(&points, evaluate.n_points.unwrap_or_default()) })
    }

    fn test_rows(&self) -> Result<Option<Array2<f64>>> {
        Ok(Some(aais_datasets::circle(&self.fresh)?.points))
    }

    fn reference(&self, evaluate: &Evaluate) -> Result<Option<Generated>> {
        let n = evaluate.n_points.unwrap_or_default().max(1);
        let every = (self.points.len() / n).max(1);
        Ok(Some(some_points(&self.points.iter().step_by(every).copied().collect::<Vec<_>>(), n)))
    }
}

/// The first points, to four decimals.
fn some_points(points: &[[f64; 2]], n: usize) -> Generated {
    Generated::Points(points.iter().take(n).map(|point| point.map(|x| (x * 1e4).round() / 1e4)).collect())
}
