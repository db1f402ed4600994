use aais_distributions::Noise;
use aais_models::methods::{Aais, Iwae, IwaePrior, WeightGradient};
use aais_models::*;
use candle_core::{Device, Tensor};
fn cpu() -> f64 {
    std::fs::read_to_string("/proc/thread-self/schedstat").unwrap().split(' ').next().unwrap().parse::<f64>().unwrap()
        / 1e9
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let tail: f64 = a[1].parse().unwrap();
    let epochs: usize = a[2].parse().unwrap();
    let n: usize = a[3].parse().unwrap();
    let kind = a.get(4).map_or("aais", |s| s.as_str());
    let beta: Schedule = Schedule::Cyclical { low: 0.0, high: 1.0, period: 25, ramp: 12 };
    let beta = if kind == "one" { Schedule::Constant(1.0) } else { beta };
    let bytes = std::fs::read("/tmp/mnist.u8").unwrap();
    let x: Vec<f32> = bytes[..n * 784].iter().map(|v| f32::from(*v)).collect();
    let data = Tensor::from_vec(x, (n, 784), &Device::Cpu).unwrap();
    let model = LatentModel::new(
        Architecture::paper("mnist").unwrap(),
        Box::new(Bernoulli),
        &Noise::new(1).fork("init"),
        &Device::Cpu,
    )
    .unwrap();
    let objective: Box<dyn Objective> = if kind == "iwae" {
        Box::new(Iwae { n_samples: 100, prior: IwaePrior::Standard, weight_tail: tail })
    } else {
        Box::new(Aais {
            n_samples: 100,
            beta,
            power: 1.0,
            fallback_below: -745.0,
            weight_gradient: WeightGradient::Published,
            weight_tail: tail,
        })
    };
    let settings = TrainSettings {
        batch_size: 128,
        learning_rate: 1e-3,
        weight_decay: 0.0,
        average_rate: 0.0,
        join_equal_rows: false,
    };
    let mut t = Trainer::new(model, objective, settings, data, Noise::new(1).fork("train")).unwrap();
    for e in 0..epochs {
        let (s, w) = (cpu(), std::time::Instant::now());
        let m = t.run_epoch().unwrap();
        let steps = n as f64 / 128.0;
        let rows: Vec<usize> = (0..128).collect();
        let x: Vec<f32> = bytes[..128 * 784].iter().map(|v| f32::from(*v)).collect();
        let batch = Batch::of_rows(Tensor::from_vec(x, (128, 784), &Device::Cpu).unwrap(), rows);
        use aais_distributions::{Proposal, LogDensity, StandardNormal};
        let q = t.model().propose(&batch).unwrap().frozen();
        let z = q.sample(100, &mut Noise::new(7)).unwrap();
        let lw = ((t.model().joint(&batch).log_likelihood(&z).unwrap().detach() + StandardNormal.log_density(&z).unwrap()).unwrap() - q.log_density(&z).unwrap()).unwrap();
        let wt = aais_importance::weights(&lw, 1.0).unwrap();
        for tail in [1e-4, 1e-3, 1e-2, 5e-2] { print!("{tail}: {:.3} ", aais_importance::stop_tail(&wt, &wt, tail).unwrap().kept.mean_all().unwrap().to_scalar::<f32>().unwrap()); }
        println!(
            "{e} cpu {:.1} ms/step wall {:.1} {:?}",
            (cpu() - s) * 1e3 / steps,
            w.elapsed().as_secs_f64() * 1e3 / steps,
            m.values
        );
    }
    println!(
        "{}",
        std::fs::read_to_string("/proc/self/status").unwrap().lines().find(|l| l.starts_with("VmHWM")).unwrap()
    );
}
