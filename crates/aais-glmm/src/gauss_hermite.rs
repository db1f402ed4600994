//! Gauss-Hermite quadrature: integrals against the standard normal density.

/// Nodes and weights with `Σ wᵢ f(zᵢ) = E f(Z)`, exact for polynomials of degree `2 n − 1`.
#[derive(Debug, Clone, PartialEq)]
pub struct GaussHermite {
    /// In rising order, symmetric around zero.
    pub nodes: Vec<f64>,
    /// Positive, with sum one.
    pub weights: Vec<f64>,
}

/// Newton steps to a node from between its neighbours in the lower rules; a handful is taken.
const MAX_STEPS: usize = 100;

impl GaussHermite {
    /// The rule with `n_nodes` nodes, the roots of the Hermite polynomial of that degree.
    ///
    /// Roots interlace, so each lies between two of the rule before: bisection with Newton steps cannot miss one.
    /// Golub & Welsch (1969) give the weights, `1 / (n h_{n−1}(z)²)` for orthonormal polynomials `h`.
    pub fn new(n_nodes: usize) -> Self {
        let mut nodes: Vec<f64> = Vec::new();
        for degree in 1..=n_nodes {
            // The largest root is below √(4 n + 2) of the scaled polynomials.
            let bound = (4.0 * degree as f64 + 2.0).sqrt();
            let mut borders = vec![-bound];
            borders.extend(&nodes);
            borders.push(bound);
            nodes = borders.windows(2).map(|pair| root(degree, pair[0], pair[1])).collect();
        }
        let weight = |node: &f64| 1.0 / (n_nodes as f64 * polynomials(n_nodes, *node).1.powi(2));
        let weights = nodes.iter().map(weight).collect();
        Self { nodes, weights }
    }
}

/// The orthonormal Hermite polynomials of a degree and of the one before: `√k h_k = x h_{k−1} − √(k−1) h_{k−2}`.
fn polynomials(degree: usize, x: f64) -> (f64, f64) {
    let (mut before, mut current) = (0.0, 1.0);
    for k in 1..=degree {
        let next = (x * current - (k as f64 - 1.0).sqrt() * before) / (k as f64).sqrt();
        (before, current) = (current, next);
    }
    (current, before)
}

/// The root between two points of unlike sign, by Newton steps that bisection keeps inside.
fn root(degree: usize, mut low: f64, mut high: f64) -> f64 {
    let rising = polynomials(degree, high).0 > 0.0;
    let mut x = 0.5 * (low + high);
    for _ in 0..MAX_STEPS {
        let (value, before) = polynomials(degree, x);
        if (value > 0.0) == rising {
            high = x;
        } else {
            low = x;
        }
        // h_n′ = √n h_{n−1}.
        let newton = x - value / ((degree as f64).sqrt() * before);
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        if (next - x).abs() <= 2.0 * f64::EPSILON * x.abs().max(1e-3) {
            return next;
        }
        x = next;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_the_normal_are_exact_up_to_the_degree() {
        for n_nodes in [1, 2, 3, 9, 25, 60] {
            let rule = GaussHermite::new(n_nodes);
            let mut moment = 1.0;
            for power in 0..n_nodes.min(20) {
                let even: f64 = rule.nodes.iter().zip(&rule.weights).map(|(z, w)| w * z.powi(2 * power as i32)).sum();
                assert!((even / moment - 1.0).abs() < 1e-12, "{n_nodes} nodes, power {}", 2 * power);
                moment *= 2.0 * power as f64 + 1.0; // E Z²ᵏ = 1·3·5···(2k − 1).
            }
        }
    }

    #[test]
    fn nodes_are_those_of_the_tables() {
        // Abramowitz and Stegun, Table 25.10, n = 9: x = 3.190993201781528, divided out of the weight e^−x².
        let rule = GaussHermite::new(9);
        assert!((rule.nodes[8] - 3.190_993_201_781_528 * std::f64::consts::SQRT_2).abs() < 1e-14);
        assert!((rule.weights[8] - 3.960_697_726_326e-5 / std::f64::consts::PI.sqrt()).abs() < 1e-17);
        assert!(rule.nodes[4].abs() < 1e-15);
    }

    #[test]
    fn a_cosine_has_its_characteristic_function() {
        let rule = GaussHermite::new(40);
        let mean: f64 = rule.nodes.iter().zip(&rule.weights).map(|(z, w)| w * (2.0 * z).cos()).sum();
        assert!((mean - (-2.0_f64).exp()).abs() < 1e-14, "{mean}");
    }
}
