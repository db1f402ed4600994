//! Whether chains have mixed, from their values over time. Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021).

/// Potential scale reduction of chains split in halves; near 1 when they agree. `NaN` without two chains' worth of values.
///
/// `chains` are values of one quantity, chain by chain, of one length.
pub fn split_r_hat(chains: &[Vec<f64>]) -> f64 {
    let halves = split(chains);
    let Some((within, total)) = variances(&halves) else { return f64::NAN };
    (total / within).sqrt()
}

/// How many independent draws would estimate the mean as well: Geyer's initial monotone sequence on split chains.
pub fn effective_sample_size(chains: &[Vec<f64>]) -> f64 {
    let halves = split(chains);
    let Some((within, total)) = variances(&halves) else { return f64::NAN };
    let length = halves[0].len();
    #[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^52")]
    let n = (halves.len() * length) as f64;

    let correlation = |lag: usize| {
        let mean = halves.iter().map(|half| autocovariance(half, lag)).sum::<f64>() / count(halves.len());
        1.0 - (within - mean) / total
    };
    // Sums of neighbouring pairs are positive and fall; the first that is not ends the sequence.
    let (mut time, mut last) = (-1.0, f64::INFINITY);
    for lag in (0..length.saturating_sub(1)).step_by(2) {
        let pair = correlation(lag) + correlation(lag + 1);
        if pair <= 0.0 {
            break;
        }
        last = f64::min(pair, last);
        time += 2.0 * last;
    }
    // Antithetic chains may do better than independent draws, but not by more than this.
    n / time.max(n.log10().recip())
}

fn count(n: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let n = n as f64;
    n
}

fn split(chains: &[Vec<f64>]) -> Vec<&[f64]> {
    let half = chains.iter().map(Vec::len).min().unwrap_or(0) / 2;
    chains.iter().flat_map(|chain| [&chain[..half], &chain[chain.len() - half..]]).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / count(values.len())
}

/// Divided by the whole length less one, so that estimates of far lags stay small.
fn autocovariance(values: &[f64], lag: usize) -> f64 {
    let mean = mean(values);
    let products = values.iter().zip(&values[lag..]).map(|(a, b)| (a - mean) * (b - mean));
    products.sum::<f64>() / count(values.len() - 1)
}

/// Within chains, and over all with the spread of their means.
fn variances(chains: &[&[f64]]) -> Option<(f64, f64)> {
    let length = chains.first()?.len();
    if length < 2 {
        return None;
    }
    let within = chains.iter().map(|chain| autocovariance(chain, 0)).sum::<f64>() / count(chains.len());
    let means: Vec<f64> = chains.iter().map(|chain| mean(chain)).collect();
    let between = autocovariance(&means, 0);
    Some((within, within * (count(length) - 1.0) / count(length) + between))
}

#[cfg(test)]
mod tests {
    use aais_distributions::Noise;

    use super::*;

    /// Chains of `x_t = rho x_{t-1} + noise` around a mean of their own.
    fn chains(rho: f64, means: [f64; 4], length: usize) -> Vec<Vec<f64>> {
        let mut noise = Noise::new(1).fork("chains");
        let mut chain = |mean: f64| {
            let steps = noise.standard_normal(&[length], &candle_core::Device::Cpu).and_then(|t| t.to_vec1::<f32>());
            let mut x = 0.0;
            let next = |step: f32| {
                x = rho * x + (1.0 - rho * rho).sqrt() * f64::from(step);
                mean + x
            };
            steps.unwrap_or_default().into_iter().map(next).collect()
        };
        means.map(&mut chain).to_vec()
    }

    #[test]
    fn independent_draws_count_fully() {
        let chains = chains(0.0, [0.0; 4], 2000);
        let found = effective_sample_size(&chains) / 8000.0;
        assert!((0.85..1.15).contains(&found), "{found}");
        assert!((split_r_hat(&chains) - 1.0).abs() < 0.005);
    }

    #[test]
    fn correlated_draws_count_as_theory_says() {
        for rho in [0.5f64, 0.9, -0.5] {
            let found = effective_sample_size(&chains(rho, [0.0; 4], 20_000)) / 80_000.0;
            let exact = (1.0 - rho) / (1.0 + rho);
            assert!((found / exact - 1.0).abs() < 0.15, "{rho}: {found} {exact}");
        }
    }

    #[test]
    fn chains_that_disagree_are_seen() {
        assert!(split_r_hat(&chains(0.0, [0.0, 0.0, 0.0, 2.0], 500)) > 1.2);
        assert!(split_r_hat(&[]).is_nan() && effective_sample_size(&[vec![1.0]]).is_nan());
    }
}
