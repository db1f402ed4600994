//! Milliseconds of the fused network, forward and backward, on each instruction set that this processor has.

use std::time::Instant;

use aais_kernels::{Activation, InstructionSet, MlpSpec, mlp::mlp_on};
use candle_core::{DType, Device, Result, Tensor, Var};

fn main() -> Result<()> {
    let activation = Activation::NormPrelu;
    let spec = MlpSpec { n_in: 1, hidden: vec![20; 3], n_out: 1, n_heads: 1, skip: false, activation };
    let parameters = Var::ones(spec.n_parameters(), DType::F32, &Device::Cpu)?;
    let slope = Tensor::new(&[0.25f32], &Device::Cpu)?;
    let x = Var::from_tensor(&Tensor::arange(0f32, 12_800.0, &Device::Cpu)?.reshape((12_800, 1))?)?;
    for set in InstructionSet::available() {
        let (mut forward, mut both) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..50 {
            let started = Instant::now();
            let y = mlp_on(set, &spec, &x, &parameters, &slope)?;
            forward = forward.min(started.elapsed().as_secs_f64());
            y.sum_all()?.backward()?;
            both = both.min(started.elapsed().as_secs_f64());
        }
        println!("{:8}  forward {:.2} ms  forward and backward {:.2} ms", set.name(), forward * 1e3, both * 1e3);
    }
    Ok(())
}
