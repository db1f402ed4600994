//! Ticks of panels that stand close to one another.

use std::ops::Range;

use super::{super::tick_to, GAP, PANEL, TICK_SIZE, width_of};

/// As many round values as have room for their labels.
pub(super) fn ticks(range: &Range<f64>) -> Vec<(f64, String)> {
    let magnitude = 10_f64.powf((range.end - range.start).log10().floor() - 1.0);
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0, 20.0, 25.0, 50.0].map(|step| step * magnitude);
    // 2.5 magnitudes end one digit after the magnitude.
    let digits = (1..12).find(|digits| magnitude * 10_f64.powf(*digits as f64) > 9.0).unwrap_or(12);

    let mut candidates = steps.into_iter().map(|step| multiples(range, step, digits));
    candidates.find(|ticks| are_apart(range, ticks)).unwrap_or_default()
}

/// The multiples of a step whose labels stay out of the next panel.
fn multiples(range: &Range<f64>, step: f64, digits: usize) -> Vec<(f64, String)> {
    let first = (range.start / step).ceil();
    let within = (0..100_u32).map(|index| (first + f64::from(index)) * step).take_while(|at| *at <= range.end);
    let labelled = within.map(|at| (at, tick_to(at, digits)));
    let has_room = |(at, label): &(f64, String)| {
        let to_edge = length(range, (at - range.start).min(range.end - at));
        f64::from(width_of(label, TICK_SIZE)) / 2.0 <= to_edge + f64::from(GAP) / 2.0
    };
    labelled.filter(has_room).collect()
}

fn are_apart(range: &Range<f64>, ticks: &[(f64, String)]) -> bool {
    ticks.windows(2).all(|pair| {
        let widths = width_of(&pair[0].1, TICK_SIZE) + width_of(&pair[1].1, TICK_SIZE);
        f64::from(widths) / 2.0 + f64::from(GAP) <= length(range, pair[1].0 - pair[0].0)
    })
}

/// Of a part of an axis, in units.
fn length(range: &Range<f64>, part: f64) -> f64 {
    f64::from(PANEL) * part / (range.end - range.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(range: Range<f64>) -> Vec<String> {
        ticks(&range).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_and_have_room() {
        assert_eq!(labels(-3.2..3.2), ["−2", "0", "2"]);
        assert_eq!(labels(-0.42..0.48), ["−0.25", "0", "0.25"]);
        assert_eq!(labels(10.55..11.45), ["10.75", "11", "11.25"]);
        assert_eq!(labels(-130.0..920.0), ["0", "250", "500", "750"]);
        // The label of 2 would stick out by half its length: into the gap, and no further.
        assert_eq!(labels(-0.1..2.0), ["0", "0.5", "1", "1.5", "2"]);
        assert_eq!(labels(-0.1..2000.0), ["0", "1000"]);
    }
}
