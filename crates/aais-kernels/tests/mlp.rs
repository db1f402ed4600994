//! The fused network against its reference: value and every gradient, in awkward shapes, on every instruction set.

#![allow(clippy::unwrap_used)]

mod common;

use aais_kernels::{InstructionSet, MlpSpec, mlp, mlp::mlp_on, mlp::reference};
use candle_core::{DType, Device, Tensor, Var};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use common::{relative_error, softplus, spec, uniform};

/// Names of shapes say what they are awkward for.
fn specs() -> Vec<MlpSpec> {
    vec![
        spec(1, &[20, 20, 20], 1, 1, false), // exp, decoder
        spec(1, &[20, 20, 20], 1, 2, false), // exp, encoder
        spec(1, &[20, 20, 20], 1, 2, true),  // mix: heads are blocks of one feature
        spec(3, &[7], 5, 1, true),           // odd widths
        spec(2, &[5, 33, 18], 3, 2, true),
        spec(4, &[], 3, 1, false), // no body
        spec(4, &[], 3, 2, true),
        spec(17, &[6, 1, 9], 2, 3, false),        // a normalization over one feature
        softplus(1, &[50, 100, 50], 1, 1, false), // mix of ALMOND, decoder
        softplus(3, &[7], 2, 2, true),
    ]
}

/// Networks whose largest matrix goes to the blocked products.
fn wide_specs() -> Vec<MlpSpec> {
    vec![
        spec(10, &[256, 512], 3, 1, false),
        spec(5, &[300, 301], 7, 2, true), // odd widths, skip blocks, heads that are blocks
        spec(301, &[257, 3], 1, 2, false),
        spec(2, &[260, 256], 32, 2, false), // heads of whole vectors
        spec(263, &[], 250, 2, false),      // no body
        spec(263, &[], 250, 1, true),
        softplus(11, &[260, 300], 2, 1, false),
        softplus(3, &[257], 2, 2, true),
    ]
}

#[derive(Clone)]
struct Case {
    spec: MlpSpec,
    x: Tensor,
    parameters: Tensor,
    slope: Tensor,
    cotangent: Tensor,
}

impl Case {
    fn new(spec: MlpSpec, rows: &[usize], seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (shape_in, shape_out) = ([rows, &[spec.n_in]].concat(), [rows, &[spec.width_out()]].concat());
        Self {
            x: uniform(&shape_in, &mut rng),
            parameters: uniform(&[spec.n_parameters()], &mut rng),
            slope: Tensor::new(&[0.25f32], &Device::Cpu).unwrap(),
            cotangent: uniform(&shape_out, &mut rng),
            spec,
        }
    }

    /// Value and the gradients of input, parameters and slope, in the type of the leaves.
    fn run(
        &self,
        dtype: DType,
        f: impl Fn(&MlpSpec, &Tensor, &Tensor, &Tensor) -> candle_core::Result<Tensor>,
    ) -> [Tensor; 4] {
        let leaf = |tensor: &Tensor| Var::from_tensor(&tensor.to_dtype(dtype).unwrap()).unwrap();
        let (x, parameters, slope) = (leaf(&self.x), leaf(&self.parameters), leaf(&self.slope));
        let y = f(&self.spec, &x, &parameters, &slope).unwrap();
        let loss = (&y * self.cotangent.to_dtype(dtype).unwrap()).unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        // A network without blocks has no use for the slope.
        let of = |leaf: &Var| gradients.get(leaf).cloned().unwrap_or_else(|| leaf.zeros_like().unwrap());
        [y, of(&x), of(&parameters), of(&slope)]
    }
}

#[test]
fn fused_equals_reference_on_every_instruction_set() {
    for (index, spec) in specs().into_iter().enumerate() {
        // The last needs several chunks of panels a group, as training does.
        for rows in [&[1][..], &[8, 1], &[3, 27], &[80], &[5, 100], &[41 * 80 + 7]] {
            assert_fused_equals_reference(&Case::new(spec.clone(), rows, index as u64));
        }
    }
}

#[test]
fn wide_equals_reference_on_every_instruction_set() {
    for (index, spec) in wide_specs().into_iter().enumerate() {
        // One row, rows that fill no block, one tile, several.
        for rows in [&[1][..], &[3, 9], &[96], &[3 * 96 + 5]] {
            assert_fused_equals_reference(&Case::new(spec.clone(), rows, index as u64));
        }
    }
}

fn assert_fused_equals_reference(case: &Case) {
    let exact = case.run(DType::F64, reference);
    for set in InstructionSet::available() {
        let fused = case.run(DType::F32, |s, x, p, a| mlp_on(set, s, x, p, a));
        for (what, (fused, exact)) in GRADIENTS.iter().zip(fused.iter().zip(&exact)) {
            let error = relative_error(fused, exact);
            // Single precision through up to four normalizations; the composed f32 reference has the same.
            assert!(error < 2e-4, "{what} of {:?}, rows {:?}, {set:?}: {error}", case.spec, case.x.dims());
        }
    }
}

const GRADIENTS: [&str; 4] = ["y", "dx", "dparameters", "dslope"];

/// AVX2 works on sixteen lanes in two registers and adds them in the order of AVX-512.
#[test]
fn avx2_has_the_bits_of_avx512() {
    let sets = [InstructionSet::Avx512, InstructionSet::Avx2];
    if !sets.iter().all(|set| InstructionSet::available().contains(set)) {
        return; // Nothing to compare on this processor.
    }
    for (index, spec) in specs().into_iter().chain(wide_specs()).enumerate() {
        for rows in [&[27][..], &[41 * 80 + 7]] {
            let case = Case::new(spec.clone(), rows, index as u64);
            let [wide, narrow] = sets.map(|set| case.run(DType::F32, |s, x, p, a| mlp_on(set, s, x, p, a)));
            for (what, (wide, narrow)) in GRADIENTS.iter().zip(wide.iter().zip(&narrow)) {
                let bits = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                assert_eq!(bits(wide), bits(narrow), "{what} of {spec:?}, rows {rows:?}");
            }
        }
    }
}

#[test]
fn transposed_view_is_taken_as_it_reads() {
    let case = Case::new(spec(3, &[7], 2, 1, true), &[50], 1);
    let view = case.x.t().unwrap().contiguous().unwrap().t().unwrap();
    assert!(!view.is_contiguous());
    let of = |x: &Tensor| mlp(&case.spec, x, &case.parameters, &case.slope).unwrap().to_vec2::<f32>().unwrap();
    assert_eq!(of(&view), of(&case.x));
}

#[test]
fn no_rows_give_no_output() {
    for spec in [spec(3, &[7], 2, 1, false), spec(10, &[256, 512], 2, 1, false)] {
        let case = Case::new(spec, &[0], 1);
        assert_eq!(mlp(&case.spec, &case.x, &case.parameters, &case.slope).unwrap().dims(), [0, 2]);
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    for case in [
        Case::new(spec(1, &[20, 20, 20], 1, 1, true), &[128, 100], 3),
        Case::new(spec(5, &[300, 301], 7, 2, true), &[9, 100], 4),
    ] {
        let on = |n_threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            pool.install(|| case.run(DType::F32, mlp)).map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap())
        };
        assert_eq!(on(1), on(2));
        assert_eq!(on(1), on(5));
    }
}

/// The kept rows of [`Case`] that have a cotangent, taken out of it, give the same bits as all of them.
#[test]
fn rows_without_cotangent_leave_no_trace_in_a_wide_network() {
    let n_rows = 500;
    let all = Case::new(spec(5, &[300, 301], 7, 2, true), &[n_rows], 4);
    let kept: Vec<u32> = (0..500).filter(|row| row % 7 == 2 || row % 5 == 0).collect();
    let is_kept: Vec<f32> = (0..500).map(|row| f32::from(u8::from(kept.contains(&row)))).collect();
    let is_kept = Tensor::from_vec(is_kept, (n_rows, 1), &Device::Cpu).unwrap();
    let masked = Case { cotangent: all.cotangent.broadcast_mul(&is_kept).unwrap(), ..all.clone() };
    let index = Tensor::new(kept, &Device::Cpu).unwrap();
    let take = |tensor: &Tensor| tensor.index_select(&index, 0).unwrap();
    let few = Case { x: take(&all.x), cotangent: take(&all.cotangent), ..all };
    let [_, dx, dparameters, dslope] = masked.run(DType::F32, mlp);
    let [_, few_dx, few_dparameters, few_dslope] = few.run(DType::F32, mlp);
    let bits = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(bits(&take(&dx)), bits(&few_dx));
    assert_eq!(bits(&dx.abs().unwrap().sum(1).unwrap()).iter().filter(|sum| **sum > 0.0).count(), few_dx.dims()[0]);
    assert_eq!(bits(&dparameters), bits(&few_dparameters));
    assert_eq!(bits(&dslope), bits(&few_dslope));
}

#[test]
fn no_cotangent_at_all_gives_zeros() {
    let mut case = Case::new(spec(10, &[256, 512], 3, 1, false), &[4], 1);
    case.cotangent = case.cotangent.zeros_like().unwrap();
    for gradient in &case.run(DType::F32, mlp)[1..] {
        assert_eq!(gradient.abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap(), 0.0);
    }
}

#[test]
fn second_backward_pass_through_one_graph_gives_the_same() {
    for spec in [spec(2, &[9, 9], 2, 1, false), spec(10, &[256, 512], 2, 1, false)] {
        let case = Case::new(spec, &[33], 4);
        let parameters = Var::from_tensor(&case.parameters).unwrap();
        let loss = mlp(&case.spec, &case.x, &parameters, &case.slope).unwrap().sum_all().unwrap();
        let gradient = || loss.backward().unwrap().get(&parameters).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(gradient(), gradient());
    }
}

#[test]
fn wrong_shapes_are_told() {
    let case = Case::new(spec(3, &[7], 2, 1, false), &[4], 1);
    let message = mlp(&case.spec, &case.cotangent, &case.parameters, &case.slope).unwrap_err().to_string();
    assert!(message.contains("(..., 3)") && message.contains("[4, 2]"), "{message}");
    let message = mlp(&case.spec, &case.x, &case.x, &case.slope).unwrap_err().to_string();
    assert!(message.contains("parameters of shape (58,)"), "{message}");
}

#[test]
fn parameters_tile_the_flat_vector() {
    for spec in specs() {
        let mut end = 0;
        for parameter in spec.parameters() {
            assert_eq!(parameter.range.start, end, "{}", parameter.name);
            assert_eq!(parameter.range.len(), parameter.shape.iter().product::<usize>());
            end = parameter.range.end;
        }
        assert_eq!(end, spec.n_parameters());
    }
}
