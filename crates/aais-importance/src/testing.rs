//! What the unit tests share.

use candle_core::{Device, Tensor, Var};

/// A `(B, M)` tensor of doubles.
pub fn rows<const B: usize, const M: usize>(values: &[[f64; M]; B]) -> Tensor {
    Tensor::new(values, &Device::Cpu).expect("doubles make a tensor")
}

/// Compares candle's gradient of the scalar `f` at `point` with central differences in double precision.
///
/// With step `1e-5` the differences err by about `1e-10` for functions of order one; the bound leaves room above.
pub fn assert_gradient(point: &Tensor, f: impl Fn(&Tensor) -> candle_core::Result<Tensor>) {
    let var = Var::from_tensor(point).expect("a variable");
    let gradients = f(&var).and_then(|value| value.backward()).expect("a gradient");
    let gradient = gradients.get(&var).expect("the variable is reached");
    let gradient = gradient.flatten_all().and_then(|g| g.to_vec1::<f64>()).expect("doubles");

    let start = point.flatten_all().and_then(|p| p.to_vec1::<f64>()).expect("doubles");
    let value_at = |position: usize, shift: f64| {
        let mut moved = start.clone();
        moved[position] += shift;
        let moved = Tensor::from_vec(moved, point.shape(), &Device::Cpu).expect("the same shape");
        f(&moved).and_then(|value| value.to_scalar::<f64>()).expect("a scalar")
    };

    let step = 1e-5;
    for (position, &found) in gradient.iter().enumerate() {
        let expected = (value_at(position, step) - value_at(position, -step)) / (2.0 * step);
        assert!((found - expected).abs() < 1e-8, "position {position}: gradient {found}, differences {expected}");
    }
}
