use aais_kernels::{InstructionSet, MlpSpec, mlp::mlp_on};
use candle_core::{Device, Tensor, Var};
use std::time::Instant;
fn main() {
    for (name, spec, rows) in [
        ("exp", MlpSpec { n_in: 1, hidden: vec![20; 3], n_out: 1, n_heads: 1, skip: false }, 12800),
        ("mix", MlpSpec { n_in: 1, hidden: vec![20; 3], n_out: 1, n_heads: 1, skip: true }, 12800),
        ("enc", MlpSpec { n_in: 1, hidden: vec![20; 3], n_out: 1, n_heads: 2, skip: false }, 128),
        ("mnist", MlpSpec { n_in: 10, hidden: vec![256, 512], n_out: 784, n_heads: 1, skip: false }, 12800),
    ] {
        let flops: usize = spec.parameters().iter().filter(|p| p.shape.len() == 2).map(|p| p.range.len()).sum::<usize>() * 6 * rows;
        for set in InstructionSet::available() {
            let x = Var::from_vec((0..rows * spec.n_in).map(|i| ((i * 7919) % 1000) as f32 / 500.0 - 1.0).collect::<Vec<f32>>(), (rows, spec.n_in), &Device::Cpu).unwrap();
            let p = Var::from_vec((0..spec.n_parameters()).map(|i| ((i * 7919) % 1000) as f32 / 5000.0 - 0.1).collect::<Vec<f32>>(), spec.n_parameters(), &Device::Cpu).unwrap();
            let a = Var::new(&[0.25f32], &Device::Cpu).unwrap();
            let n = if rows < 1000 { 500 } else if spec.n_out > 100 { 2 } else { 100 };
            let (mut best, mut bf) = (f64::MAX, f64::MAX);
            let g = Tensor::ones((rows, spec.width_out()), candle_core::DType::F32, &Device::Cpu).unwrap();
            for _ in 0..n {
                let t = Instant::now();
                let y = mlp_on(set, &spec, &x, &p, &a).unwrap();
                let f = t.elapsed().as_secs_f64();
                let l = (y * &g).unwrap().sum_all().unwrap();
                let _ = l.backward().unwrap();
                best = best.min(t.elapsed().as_secs_f64()); bf = bf.min(f);
            }
            println!("{name} {set:?} fwd {:.3} ms total {:.3} ms  {:.1} GF/s (fwd {:.1})", bf * 1e3, best * 1e3, flops as f64 / best / 1e9, flops as f64 / 3. / bf / 1e9);
        }
    }
}
