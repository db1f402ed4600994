//! Samples a banana-shaped density and prints a picture of it as SVG: `x ~ N(0, 1)`, `y | x ~ N(x^2, 1)`.

use std::fmt::Write;

use aais_distributions::{LogDensity, Noise};
use aais_langevin::{StepSize, effective_sample_size, mala_chain, split_r_hat};
use candle_core::{DType, Device, Result, Tensor};

struct Banana;

impl LogDensity for Banana {
    fn log_density(&self, z: &Tensor) -> Result<Tensor> {
        let (x, y) = (z.narrow(2, 0, 1)?.squeeze(2)?, z.narrow(2, 1, 1)?.squeeze(2)?);
        (x.sqr()? + (y - x.sqr()?)?.sqr()?)? * -0.5
    }

    fn score(&self, z: &Tensor) -> Result<Tensor> {
        let (x, y) = (z.narrow(2, 0, 1)?, z.narrow(2, 1, 1)?);
        let residual = (y - x.sqr()?)?;
        Tensor::cat(&[((&x * &residual)? * 2.0)?.sub(&x)?, residual.neg()?], 2)
    }
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 420.0;
/// Steps between the states that are drawn.
const EVERY: usize = 50;

fn main() -> Result<()> {
    let mut noise = Noise::new(1).fork("banana");
    let start = Tensor::zeros((1, 64, 2), DType::F32, &Device::Cpu)?;
    let chain = mala_chain(&Banana, &start, &StepSize::new(0.25)?, 2000, &mut noise)?;
    let (x, y) = (chain.coordinate(0, 500)?, chain.coordinate(1, 500)?);
    eprintln!("acceptance {:.2}", chain.acceptance);
    eprintln!("R-hat {:.3}, effective sample size of y {:.0}", split_r_hat(&y), effective_sample_size(&y));

    let place = |x: f64, y: f64| ((x + 3.5) / 7.0 * WIDTH, HEIGHT - (y + 4.0) / 16.0 * HEIGHT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (x, y) in x.iter().zip(&y) {
        for (x, y) in x.iter().zip(y).step_by(EVERY) {
            let (left, top) = place(*x, *y);
            let dot =
                format!("<circle cx=\"{left:.1}\" cy=\"{top:.1}\" r=\"2\" fill=\"#2a9d5c\" fill-opacity=\"0.35\"/>");
            let _ = writeln!(svg, "{dot}");
        }
    }
    // Where x^2 + (y - x^2)^2 is 1, 4 and 9: one, two and three standard deviations.
    for radius in [1.0, 2.0, 3.0] {
        let mut points = String::new();
        for k in 0..=200 {
            let angle = f64::from(k) / 200.0 * std::f64::consts::TAU;
            let (x, z) = (radius * angle.cos(), radius * angle.sin());
            let (left, top) = place(x, x * x + z);
            let _ = write!(points, "{left:.1},{top:.1} ");
        }
        let _ = writeln!(svg, "<polyline points=\"{points}\" fill=\"none\" stroke=\"#e07b00\" stroke-width=\"1.5\"/>");
    }
    println!("{svg}</svg>");
    Ok(())
}
