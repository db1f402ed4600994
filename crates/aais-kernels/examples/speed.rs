//! Milliseconds of fused networks, forward and backward, on each instruction set that this processor has.

use std::time::Instant;

use aais_kernels::{Activation, InstructionSet, MlpSpec, mlp::mlp_on};
use candle_core::{DType, Device, Result, Tensor, Var};

/// Points that go through each.
const ROWS: usize = 12_800;

fn main() -> Result<()> {
    let decoder = |n_in, hidden: &[usize], n_out| {
        let (hidden, activation) = (hidden.to_vec(), Activation::NormPrelu);
        MlpSpec { n_in, hidden, n_out, n_heads: 1, skip: false, activation }
    };
    time("exp", 50, &decoder(1, &[20; 3], 1))?;
    time("mnist", 5, &decoder(10, &[256, 512], 784))?;
    time("cortex", 5, &decoder(10, &[128, 256], 1200))
}

/// The best of some turns.
fn time(name: &str, turns: usize, spec: &MlpSpec) -> Result<()> {
    let parameters = Var::ones(spec.n_parameters(), DType::F32, &Device::Cpu)?;
    let slope = Tensor::new(&[0.25f32], &Device::Cpu)?;
    let x: Vec<f32> = (0..ROWS * spec.n_in).map(|k| f32::from(u8::try_from(k % 251).unwrap_or(0))).collect();
    let x = Var::from_vec(x, (ROWS, spec.n_in), &Device::Cpu)?;
    for set in InstructionSet::available() {
        let (mut forward, mut both) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..turns {
            let started = Instant::now();
            let y = mlp_on(set, spec, &x, &parameters, &slope)?;
            forward = forward.min(started.elapsed().as_secs_f64());
            y.sum_all()?.backward()?;
            both = both.min(started.elapsed().as_secs_f64());
        }
        let (set, forward, both) = (set.name(), forward * 1e3, both * 1e3);
        println!("{name:6}  {set:8}  forward {forward:.2} ms  forward and backward {both:.2} ms");
    }
    Ok(())
}
