//! The pullback against its reference and against finite differences, to second order.

#![allow(clippy::unwrap_used)]

mod common;

use aais_kernels::mlp::{mlp_with_pullback_on, reference, reference_pullback};
use aais_kernels::{InstructionSet, MlpSpec, mlp_with_pullback};
use candle_core::{DType, Device, Tensor, Var};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use common::{relative_error, softplus, spec, uniform};

/// Networks of one head, awkward in one way or another.
fn specs() -> Vec<MlpSpec> {
    vec![
        spec(1, &[20, 20, 20], 1, 1, false), // exp, decoder
        spec(1, &[20, 20, 20], 1, 1, true),  // mix, decoder
        spec(3, &[7], 5, 1, true),
        spec(2, &[5, 33, 18], 3, 1, false),
        spec(4, &[], 3, 1, false),
        spec(4, &[], 3, 1, true),
        softplus(2, &[9, 6], 3, 1, false),
        softplus(2, &[9, 6], 3, 1, true),
    ]
}

struct Case {
    spec: MlpSpec,
    x: Tensor,
    parameters: Tensor,
    slope: Tensor,
    /// Part of the cotangent; the rest depends on the network's value, as in a score.
    target: Tensor,
    direction: Tensor,
}

impl Case {
    fn new(spec: MlpSpec, rows: &[usize], seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (shape_in, shape_out) = ([rows, &[spec.n_in]].concat(), [rows, &[spec.width_out()]].concat());
        Self {
            x: uniform(&shape_in, &mut rng),
            parameters: uniform(&[spec.n_parameters()], &mut rng),
            slope: Tensor::new(&[0.25f32], &Device::Cpu).unwrap(),
            target: uniform(&shape_out, &mut rng),
            direction: uniform(&shape_in, &mut rng),
            spec,
        }
    }

    fn leaves(&self, dtype: DType) -> [Var; 4] {
        [&self.x, &self.parameters, &self.slope, &self.target]
            .map(|tensor| Var::from_tensor(&tensor.to_dtype(dtype).unwrap()).unwrap())
    }

    /// A scalar of first and second order in the network: `<direction, J^T (target - y)> + sum y^2 / 2`.
    fn scalar(&self, y: &Tensor, pulled: &Tensor) -> Tensor {
        let direction = self.direction.to_dtype(y.dtype()).unwrap();
        let second = (pulled * direction).unwrap().sum_all().unwrap();
        (second + (y.sqr().unwrap().sum_all().unwrap() * 0.5).unwrap()).unwrap()
    }

    /// The pulled-back cotangent and the gradients of the scalar.
    fn fused(&self, set: InstructionSet) -> Vec<Tensor> {
        let leaves = self.leaves(DType::F32);
        let [x, parameters, slope, target] = &leaves;
        let (y, pullback) = mlp_with_pullback_on(set, &self.spec, x, parameters, slope).unwrap();
        let pulled = pullback.apply(&(target.as_tensor() - &y).unwrap()).unwrap();
        self.collect(&y, pulled, &leaves)
    }

    fn exact(&self) -> Vec<Tensor> {
        let leaves = self.leaves(DType::F64);
        let [x, parameters, slope, target] = &leaves;
        let y = reference(&self.spec, x, parameters, slope).unwrap();
        let cotangent = (target.as_tensor() - &y).unwrap();
        let pulled = reference_pullback(&self.spec, x, parameters, slope, &cotangent).unwrap();
        self.collect(&y, pulled, &leaves)
    }

    fn collect(&self, y: &Tensor, pulled: Tensor, leaves: &[Var]) -> Vec<Tensor> {
        let gradients = self.scalar(y, &pulled).backward().unwrap();
        let of = |leaf: &Var| gradients.get(leaf).cloned().unwrap_or_else(|| leaf.zeros_like().unwrap());
        std::iter::once(pulled.detach()).chain(leaves.iter().map(of)).collect()
    }

    /// The scalar at leaves of double precision, its Jacobian taken by candle's first-order backward pass.
    fn value(&self, leaves: &[Tensor; 4]) -> f64 {
        let x = Var::from_tensor(&leaves[0]).unwrap();
        let y = reference(&self.spec, &x, &leaves[1], &leaves[2]).unwrap();
        let cotangent = (&leaves[3] - &y).unwrap().detach();
        let gradients = (&y * cotangent).unwrap().sum_all().unwrap().backward().unwrap();
        self.scalar(&y.detach(), gradients.get(&x).unwrap()).to_scalar().unwrap()
    }
}

const NAMES: [&str; 5] = ["pulled back", "by x", "by parameters", "by slope", "by target"];

#[test]
fn reference_has_the_gradients_of_finite_differences() {
    for (index, spec) in specs().into_iter().enumerate() {
        let case = Case::new(spec, &[2, 3], index as u64);
        let exact = case.exact();
        let leaves = case.leaves(DType::F64).map(|leaf| leaf.as_tensor().clone());
        let mut rng = ChaCha8Rng::seed_from_u64(100);
        for which in 0..4 {
            // Along a random direction, by the five-point rule.
            let along = uniform(leaves[which].dims(), &mut rng).to_dtype(DType::F64).unwrap();
            let at = |step: f64| {
                let mut leaves = leaves.clone();
                leaves[which] = (&leaves[which] + (&along * step).unwrap()).unwrap();
                case.value(&leaves)
            };
            let h = 1e-4;
            let found = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
            let expected = (&exact[1 + which] * &along).unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap();
            let error = (found - expected).abs() / expected.abs().max(1.0);
            // A PReLU whose kink lies within the step may spoil a difference; none does here.
            assert!(error < 1e-6, "{} of {:?}: {found} {expected}", NAMES[1 + which], case.spec);
        }
    }
}

#[test]
fn fused_equals_reference_on_every_instruction_set() {
    for (index, spec) in specs().into_iter().enumerate() {
        // The last needs several chunks of panels a group, as training does.
        for rows in [&[1][..], &[3, 27], &[80], &[9, 100], &[41 * 80 + 7]] {
            let case = Case::new(spec.clone(), rows, index as u64);
            let exact = case.exact();
            for set in InstructionSet::available() {
                for (what, (fused, exact)) in NAMES.iter().zip(case.fused(set).iter().zip(&exact)) {
                    let error = relative_error(fused, exact);
                    // Single precision through second derivatives of normalizations.
                    assert!(error < 1e-3, "{what} of {:?}, rows {rows:?}, {set:?}: {error}", case.spec);
                }
            }
        }
    }
}

#[test]
fn avx2_has_the_bits_of_avx512() {
    let sets = [InstructionSet::Avx512, InstructionSet::Avx2];
    if !sets.iter().all(|set| InstructionSet::available().contains(set)) {
        return; // Nothing to compare on this processor.
    }
    for (index, spec) in specs().into_iter().enumerate() {
        let case = Case::new(spec, &[9, 100], index as u64);
        let [wide, narrow] = sets.map(|set| case.fused(set));
        for (what, (wide, narrow)) in NAMES.iter().zip(wide.iter().zip(&narrow)) {
            let bits = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(bits(wide), bits(narrow), "{what} of {:?}", case.spec);
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let case = Case::new(spec(1, &[20, 20, 20], 1, 1, true), &[128, 100], 3);
    let on = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let found = pool.install(|| case.fused(InstructionSet::best()));
        found.iter().map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(on(1), on(2));
    assert_eq!(on(1), on(5));
}

/// A drift cut out of the graph is the trap: its gradient is another one.
#[test]
fn a_detached_pullback_has_another_gradient() {
    let case = Case::new(spec(1, &[20, 20, 20], 1, 1, false), &[50], 5);
    let leaves = case.leaves(DType::F32);
    let [x, parameters, slope, target] = &leaves;
    let (y, pullback) = mlp_with_pullback(&case.spec, x, parameters, slope).unwrap();
    let pulled = pullback.apply(&(target.as_tensor() - &y).unwrap()).unwrap().detach();
    let detached = case.collect(&y, pulled, &leaves);
    let error = relative_error(&detached[2], &case.exact()[2]);
    // Ten times what the fused operation may be off.
    assert!(error > 0.01, "{error}");
}

#[test]
fn a_second_backward_pass_gives_the_same() {
    let case = Case::new(spec(2, &[9, 9], 2, 1, true), &[33], 4);
    let leaves = case.leaves(DType::F32);
    let [x, parameters, slope, target] = &leaves;
    let (y, pullback) = mlp_with_pullback(&case.spec, x, parameters, slope).unwrap();
    let pulled = pullback.apply(&(target.as_tensor() - &y).unwrap()).unwrap();
    let gradients = || {
        let found = case.collect(&y, pulled.clone(), &leaves);
        found.iter().map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(gradients(), gradients());
}

#[test]
fn no_rows_are_pulled_back_to_none() {
    let case = Case::new(spec(3, &[7], 2, 1, false), &[0], 1);
    let (_, pullback) = mlp_with_pullback(&case.spec, &case.x, &case.parameters, &case.slope).unwrap();
    assert_eq!(pullback.apply(&case.target).unwrap().dims(), [0, 3]);
}

/// At zero, where candle's `relu` and `abs` have derivatives of their own, softplus has the slope one half.
#[test]
fn softplus_is_right_at_zero() {
    let spec = softplus(1, &[1], 1, 1, false);
    // Hidden value 0 at x = 0: weight 1, bias 0; output weight 1, bias 0.
    let parameters = Tensor::new(&[1f64, 0.0, 1.0, 0.0], &Device::Cpu).unwrap();
    let (x, slope) = (Tensor::zeros((1, 1), DType::F64, &Device::Cpu).unwrap(), Tensor::new(&[0.25f64], &Device::Cpu));
    let x = Var::from_tensor(&x).unwrap();
    let y = reference(&spec, &x, &parameters, &slope.unwrap()).unwrap();
    assert_eq!(y.to_vec2::<f64>().unwrap(), [[std::f64::consts::LN_2]]);
    let gradients = y.sum_all().unwrap().backward().unwrap();
    assert_eq!(gradients.get(&x).unwrap().to_vec2::<f64>().unwrap(), [[0.5]]);
}

#[test]
fn several_heads_and_wrong_shapes_are_told() {
    let case = Case::new(spec(3, &[7], 2, 1, false), &[4], 1);
    let heads = spec(3, &[7], 2, 2, false);
    let parameters = Tensor::zeros(heads.n_parameters(), DType::F32, &Device::Cpu).unwrap();
    let message = mlp_with_pullback(&heads, &case.x, &parameters, &case.slope).err().unwrap().to_string();
    assert!(message.contains("one head, got 2"), "{message}");
    let (_, pullback) = mlp_with_pullback(&case.spec, &case.x, &case.parameters, &case.slope).unwrap();
    let message = pullback.apply(&case.x).unwrap_err().to_string();
    assert!(message.contains("[4, 2]") && message.contains("[4, 3]"), "{message}");
}
