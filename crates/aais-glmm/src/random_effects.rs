//! Random effects of a fit: their covariance, and their modes given the data.

use ndarray::{Array2, Array3, Axis};

use crate::cholesky::Cholesky;
use crate::covariance::RelativeFactor;
use crate::problem::Problem;
use crate::selected_inverse::SelectedInverse;
use crate::{Design, Dispersion};

/// The random effects of one term.
#[derive(Debug, Clone, PartialEq)]
pub struct RandomEffects {
    /// Name of the grouping factor.
    pub group: String,
    /// Its levels.
    pub levels: Vec<String>,
    /// Names of the effects.
    pub effect_names: Vec<String>,
    /// Their covariance between levels, `σ² Λ Λᵀ`, `(q, q)`.
    pub covariance: Array2<f64>,
    /// Conditional modes of every level, `(levels, q)`.
    pub modes: Array2<f64>,
    /// Covariance of each level's effects given the data, the parameters held, `(levels, q, q)`.
    pub conditional_covariance: Array3<f64>,
}

impl RandomEffects {
    /// Standard deviations of the effects, `(q,)`.
    pub fn std(&self) -> Vec<f64> {
        self.covariance.diag().iter().map(|variance| variance.sqrt()).collect()
    }

    /// Correlations of the effects, `(q, q)`; not numbers where a standard deviation is zero.
    pub fn correlation(&self) -> Array2<f64> {
        let std = self.std();
        Array2::from_shape_fn(self.covariance.dim(), |(row, column)| {
            if row == column { 1.0 } else { self.covariance[(row, column)] / (std[row] * std[column]) }
        })
    }
}

/// Takes modes and covariances, term by term, from a solution in spherical effects.
pub(crate) fn random_effects(
    design: &Design,
    problem: &Problem,
    lambda: &RelativeFactor,
    modes: &[f64],
    factor: &Cholesky,
    dispersion: Dispersion,
) -> Vec<RandomEffects> {
    let variance = dispersion.scale().powi(2);
    let pattern = &problem.pattern;
    let mut effects = Vec::new();
    problem.scale(lambda, modes, &mut effects);
    let mut inverse = SelectedInverse::default();
    inverse.fill(factor, pattern);

    let of_term = |(block, term): (&crate::covariance::TermBlock, &crate::RandomTerm)| {
        let size = block.size;
        let factor_size = problem.factors[block.factor].size;
        let whole = &lambda.blocks[block.factor];
        let lambda = Array2::from_shape_fn((size, size), |(i, k)| {
            whole[(block.first_effect + i) * factor_size + block.first_effect + k]
        });

        let nodes = pattern.first_node[block.factor]..pattern.first_node[block.factor + 1];
        let of_node = |node: usize| {
            let (place, stride) = (pattern.place(node, node), pattern.stride(node));
            let spherical = Array2::from_shape_fn((size, size), |(i, k)| {
                inverse.values[place + (block.first_effect + i) * stride + block.first_effect + k]
            });
            lambda.dot(&spherical).dot(&lambda.t()) * variance
        };
        let covariances: Vec<Array2<f64>> = nodes.clone().map(of_node).collect();

        let mut term_modes = Array2::zeros((term.levels.len(), size));
        let mut conditional = Array3::zeros((term.levels.len(), size, size));
        for (level, &group) in problem.factors[block.factor].group_of_level.iter().enumerate() {
            let start = pattern.starts[nodes.start + group as usize] + block.first_effect;
            term_modes.row_mut(level).assign(&ndarray::aview1(&effects[start..start + size]));
            conditional.index_axis_mut(Axis(0), level).assign(&covariances[group as usize]);
        }
        RandomEffects {
            group: term.group.clone(),
            levels: term.levels.clone(),
            effect_names: term.effect_names.clone(),
            covariance: lambda.dot(&lambda.t()) * variance,
            modes: term_modes,
            conditional_covariance: conditional,
        }
    };
    problem.covariance.terms.iter().zip(&design.random).map(of_term).collect()
}
