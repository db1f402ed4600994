//! Adaptive Gauss-Hermite quadrature of `−2 log L` with one grouping factor.
//!
//! Each group's integral over its effects is taken on a product rule, centred at the mode and scaled by the Cholesky
//! factor of the curvature there. Pinheiro & Chao (2006), doi:10.1198/106186006X96962.

use crate::dense;
use crate::family::Likelihood;
use crate::gauss_hermite::GaussHermite;
use crate::laplace::{Laplace, Point, dispersion};
use crate::pirls::{Pirls, Unknowns};
use crate::problem::Problem;
use crate::{Error, Result};

/// Most effects of a group that a product rule is taken over.
const MAX_DIMENSION: usize = 3;

/// A product rule over the effects of a group.
pub(crate) struct ProductRule {
    n_effects: usize,
    /// `(nodes, q)`, row by row.
    nodes: Vec<f64>,
    /// `log w + |z|²/2` of each node.
    log_weights: Vec<f64>,
    /// The rule of a group with a single row, whose integral has one dimension whatever its effects.
    single: Option<Box<ProductRule>>,
}

impl ProductRule {
    /// The rule for a design; an error if its integrals have too many dimensions.
    pub(crate) fn new(problem: &Problem, n_nodes: usize) -> Result<Self> {
        let [factor] = problem.factors.as_slice() else {
            let reason = format!("it needs one grouping factor, and the model has {}", problem.factors.len());
            return Err(Error::Unavailable { asked: "quadrature", reason });
        };
        let all_single = spans(problem).iter().all(|span| span.len() <= 1);
        if factor.size > MAX_DIMENSION && !all_single {
            let reason = format!("groups have {} effects, more than {MAX_DIMENSION}; use Laplace", factor.size);
            return Err(Error::Unavailable { asked: "quadrature", reason });
        }
        let line = GaussHermite::new(n_nodes);
        let single = Some(Box::new(Self::product(&line, 1)));
        let dimension = if all_single { 1 } else { factor.size };
        Ok(Self { single, ..Self::product(&line, dimension) })
    }

    fn product(line: &GaussHermite, n_effects: usize) -> Self {
        let n_line = line.nodes.len();
        let n_nodes = (0..n_effects).fold(1, |product, _| product * n_line);
        let mut nodes = Vec::with_capacity(n_nodes * n_effects);
        let mut log_weights = Vec::with_capacity(n_nodes);
        for index in 0..n_nodes {
            let mut rest = index;
            let mut log_weight = 0.0;
            for _ in 0..n_effects {
                let node = line.nodes[rest % n_line];
                log_weight += line.weights[rest % n_line].ln() + 0.5 * node * node;
                nodes.push(node);
                rest /= n_line;
            }
            log_weights.push(log_weight);
        }
        Self { n_effects, nodes, log_weights, single: None }
    }
}

/// `−2 log L` by quadrature; `None` where no finite mode is found.
pub(crate) fn deviance(laplace: &mut Laplace, parameters: &Point, rule: &ProductRule) -> Option<f64> {
    laplace.deviance(parameters, Unknowns::Random)?;
    let pirls = &laplace.pirls;
    let base = pirls.problem.fixed_predictor(&pirls.beta);
    let mut total = laplace.normalizer.value(dispersion(parameters));
    for (node, span) in spans(pirls.problem).into_iter().enumerate() {
        let copies = pirls.problem.pattern.copies[node];
        // A group without rows integrates to one.
        if !span.is_empty() {
            let group = Group::new(pirls, node, span, &base);
            let rule = rule.single.as_deref().filter(|_| group.weights.len() == 1).unwrap_or(rule);
            total += copies * group.log_integral(rule, pirls.likelihood.as_ref());
        }
    }
    total.is_finite().then_some(-2.0 * total)
}

/// The rows of each node; rows are sorted by group.
fn spans(problem: &Problem) -> Vec<std::ops::Range<usize>> {
    let mut spans = vec![0..0; problem.pattern.n_nodes()];
    let mut start = 0;
    for same in problem.rows.groups.chunk_by(|a, b| a == b) {
        spans[same[0] as usize] = start..start + same.len();
        start += same.len();
    }
    spans
}

/// What one group's integrand is made of.
struct Group<'a> {
    response: &'a [f64],
    weights: &'a [f64],
    /// `o + Xβ`.
    base: &'a [f64],
    /// `ZΛ`, `(rows, q)`.
    effects: Vec<f64>,
    mode: Vec<f64>,
    /// The lower triangle `L` of the curvature at the mode, `(q, q)`.
    factor: Vec<f64>,
}

impl<'a> Group<'a> {
    fn new(pirls: &'a Pirls, node: usize, span: std::ops::Range<usize>, base: &'a [f64]) -> Self {
        let Problem { rows, pattern, .. } = pirls.problem;
        let (size, lambda) = (pattern.sizes[node], &pirls.lambda.blocks[0]);
        let effects: Vec<f64> = span
            .clone()
            .flat_map(|row| {
                let own = &rows.effects[row * size..(row + 1) * size];
                (0..size).map(move |column| (column..size).map(|k| own[k] * lambda[k * size + column]).sum::<f64>())
            })
            .collect();
        let mode = &pirls.modes[pattern.starts[node]..pattern.starts[node + 1]];
        let place = pattern.place(node, node);
        let factor = &pirls.curvature().values[place..place + size * size];
        let group = Self {
            response: &rows.response[span.clone()],
            weights: &rows.weights[span.clone()],
            base: &base[span.clone()],
            effects,
            mode: mode.to_vec(),
            factor: factor.to_vec(),
        };
        if span.len() == 1 { group.along_its_row(pirls.curvature_weights()[span.start]) } else { group }
    }

    /// The same integral in the one direction that the row sees.
    fn along_its_row(self, curvature: f64) -> Self {
        let length = dense::dot(&self.effects, &self.effects).sqrt();
        let mode = if length > 0.0 { dense::dot(&self.effects, &self.mode) / length } else { 0.0 };
        let factor = (1.0 + curvature * length * length).sqrt();
        Self { effects: vec![length], mode: vec![mode], factor: vec![factor], ..self }
    }

    /// `log ∫ exp(ℓ(u) − |u|²/2) du / (2π)^(q/2)`.
    fn log_integral(&self, rule: &ProductRule, likelihood: &dyn Likelihood) -> f64 {
        let size = rule.n_effects;
        let mut eta = vec![0.0; self.base.len()];
        let mut point = vec![0.0; size];
        let mut heights = Vec::with_capacity(rule.log_weights.len());
        for (node, log_weight) in rule.nodes.chunks(size).zip(&rule.log_weights) {
            // u = û + L⁻ᵀ z.
            point.copy_from_slice(node);
            dense::solve_upper(&self.factor, size, size, &mut point, 1);
            dense::add_scaled(&mut point, 1.0, &self.mode);
            for ((eta, base), effects) in eta.iter_mut().zip(self.base).zip(self.effects.chunks(size)) {
                *eta = base + dense::dot(effects, &point);
            }
            let log_density = -0.5 * dense::dot(&point, &point);
            heights.push(likelihood.sum(self.response, self.weights, &eta) + log_density + log_weight);
        }
        let top = heights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = heights.iter().map(|height| (height - top).exp()).sum();
        let log_det: f64 = (0..size).map(|k| self.factor[k * size + k].ln()).sum();
        top + sum.ln() - log_det
    }
}
