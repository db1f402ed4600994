//! Local regression of one variable on another, as the program `loess` of Cleveland and Grosse has it.
//!
//! A local quadratic is fitted at a few vertices; between them a cubic has the values and slopes of both ends
//! (Cleveland and Grosse, Computational methods for local regression, Statistics and Computing 1, 1991).
//! scanpy fits by that program, through scikit-misc, and with its default surface. A regression at every gene is a smoother
//! curve, but another one: on the cortex data it differs by up to 0.03, which changes 2 genes of the 1,200.

use crate::{Error, Result};

/// Points in a cell of the surface as a share of those in a local regression, where `loess` is not told otherwise.
const CELL: f64 = 0.2;

/// By how much of the range of `x` the outermost vertices lie beyond the points.
const MARGIN: f64 = 0.005;

/// A column of the design whose part at right angles to those before it is smaller is no column of its own.
const RANK_TOLERANCE: f64 = 1e-7;

/// A curve.
#[derive(Debug)]
pub(super) struct Loess {
    /// From left to right, at least two.
    vertices: Vec<Vertex>,
}

#[derive(Debug, Clone, Copy)]
struct Vertex {
    x: f64,
    value: f64,
    slope: f64,
}

impl Loess {
    /// Regression of `y` on `x` by quadratics, each through the nearest `span` of the points with tricube weights.
    ///
    /// # Errors
    /// Fewer than three different `x` near some vertex.
    pub(super) fn fit(x: &[f64], y: &[f64], span: f64) -> Result<Self> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded down, as published")]
        let share = |part: f64| (x.len() as f64 * part) as usize;
        let near = share(span + 1e-5 / x.len() as f64);
        if near < 3 {
            return Err(too_few(near));
        }
        let cells = vertices(x, share(span * CELL));
        let vertices = cells.into_iter().map(|at| local_quadratic(x, y, near, at)).collect::<Result<_>>()?;
        Ok(Self { vertices })
    }

    /// The curve at a point between the outermost vertices.
    pub(super) fn at(&self, x: f64) -> f64 {
        let last = self.vertices.len() - 1;
        let right = self.vertices.partition_point(|vertex| vertex.x < x).clamp(1, last);
        let (left, right) = (self.vertices[right - 1], self.vertices[right]);
        let width = right.x - left.x;
        let (from_left, to_right) = ((x - left.x) / width, (right.x - x) / width);
        let values = to_right.powi(2) * (1.0 + 2.0 * from_left) * left.value
            + from_left.powi(2) * (1.0 + 2.0 * to_right) * right.value;
        let slopes = from_left * to_right.powi(2) * left.slope - from_left.powi(2) * to_right * right.slope;
        values + slopes * width
    }
}

/// Where cells of at most `most` points meet, from left to right.
fn vertices(x: &[f64], most: usize) -> Vec<f64> {
    let mut x = x.to_vec();
    x.sort_unstable_by(f64::total_cmp);
    let (first, last) = (x[0], x[x.len() - 1]);
    let margin = MARGIN * (last - first).max(1e-3 * first.abs().max(last.abs()) + 1e-30);
    let mut vertices = vec![first - margin, last + margin];

    let mut cells = vec![(0, x.len())];
    while let Some((start, end)) = cells.pop() {
        let points = &x[start..end];
        if points.len() <= most.max(1) {
            continue;
        }
        let cut = cut(points);
        let at = points[cut];
        // In a long run of equal points the cut may be where the cell ends already.
        if !vertices.contains(&at) {
            vertices.push(at);
            cells.extend([(start, start + cut + 1), (start + cut + 1, end)]);
        }
    }
    vertices.sort_unstable_by(f64::total_cmp);
    vertices
}

/// The last point of the left half. Equal points stay together: the next step up is looked for, by turns right and left.
fn cut(points: &[f64]) -> usize {
    let middle = (points.len() - 1) / 2;
    for offset in 0..points.len() {
        for at in [middle.checked_add(offset), middle.checked_sub(offset)] {
            match at {
                Some(at) if at + 1 < points.len() && points[at] < points[at + 1] => return at,
                Some(at) if at + 1 < points.len() => (),
                _ => return middle,
            }
        }
    }
    middle
}

/// Value and slope at a point of the quadratic through its nearest points, with weights `(1 − |distance / bandwidth|³)³`.
fn local_quadratic(x: &[f64], y: &[f64], near: usize, at: f64) -> Result<Vertex> {
    let mut distances: Vec<f64> = x.iter().map(|x| (x - at).abs()).collect();
    let (_, &mut bandwidth, _) = distances.select_nth_unstable_by(near - 1, f64::total_cmp);
    let (mut columns, mut target) = ([Vec::new(), Vec::new(), Vec::new()], Vec::new());
    for (x, y) in x.iter().zip(y) {
        let scaled = (x - at) / bandwidth;
        if scaled.abs() < 1.0 {
            let root_weight = (1.0 - scaled.abs().powi(3)).powf(1.5);
            columns[0].push(root_weight);
            columns[1].push(root_weight * scaled);
            columns[2].push(root_weight * scaled.powi(2));
            target.push(root_weight * y);
        }
    }
    let [value, slope, _] = least_squares(columns, target)?;
    Ok(Vertex { x: at, value, slope: slope / bandwidth })
}

/// Coefficients of the columns whose sum is nearest to the target, by Gram and Schmidt's method as modified.
fn least_squares(mut columns: [Vec<f64>; 3], mut target: Vec<f64>) -> Result<[f64; 3]> {
    let dot = |one: &[f64], other: &[f64]| one.iter().zip(other).map(|(one, other)| one * other).sum::<f64>();
    let subtract = |from: &mut [f64], factor: f64, column: &[f64]| {
        from.iter_mut().zip(column).for_each(|(from, column)| *from -= factor * column);
    };
    let lengths = columns.each_ref().map(|column| dot(column, column).sqrt());
    let (mut upper, mut right) = ([[0.0; 3]; 3], [0.0; 3]);
    for k in 0..3 {
        let length = dot(&columns[k], &columns[k]).sqrt();
        if length.is_nan() || length <= RANK_TOLERANCE * lengths[k] {
            return Err(too_few(k));
        }
        upper[k][k] = length;
        columns[k].iter_mut().for_each(|value| *value /= length);
        let (done, rest) = columns.split_at_mut(k + 1);
        let column = &done[k];
        for (other, j) in rest.iter_mut().zip(k + 1..) {
            upper[k][j] = dot(column, other);
            subtract(other, upper[k][j], column);
        }
        right[k] = dot(column, &target);
        subtract(&mut target, right[k], column);
    }

    let mut coefficients = [0.0; 3];
    for k in (0..3).rev() {
        let known: f64 = (k + 1..3).map(|j| upper[k][j] * coefficients[j]).sum();
        coefficients[k] = (right[k] - known) / upper[k][k];
    }
    Ok(coefficients)
}

fn too_few(found: usize) -> Error {
    Error::TooFew { wanted: "three different means among the nearest 30 % of the genes that vary".to_owned(), found }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    /// Columns of numbers made by scikit-misc; the file's first lines say how.
    fn golden() -> Vec<Vec<f64>> {
        let lines = include_str!("../../tests/data/loess_scikit_misc.csv").lines();
        let rows = lines.filter(|line| !line.starts_with(['#', 'x']));
        rows.map(|row| row.split(',').map(|cell| cell.parse().unwrap()).collect()).collect()
    }

    #[test]
    fn the_curve_is_that_of_scikit_misc() {
        let rows = golden();
        assert_eq!(rows.len(), 400);
        for (first, name) in [(0, "no two equal"), (3, "long runs of equal points")] {
            let column = |k: usize| rows.iter().map(|row| row[first + k]).collect::<Vec<_>>();
            let (x, y, fit) = (column(0), column(1), column(2));
            let curve = Loess::fit(&x, &y, 0.3).unwrap();
            let off = x.iter().zip(&fit).map(|(x, fit)| (curve.at(*x) - fit).abs()).fold(0.0, f64::max);
            // Both solve well-conditioned least squares of values around 1 in doubles.
            assert!(off < 1e-11, "{name}: {off}");
        }
    }

    #[test]
    fn too_few_different_points_are_refused() {
        let x: Vec<f64> = (0..100).map(|i| f64::from(i % 5)).collect();
        let message = Loess::fit(&x, &x, 0.3).unwrap_err().to_string();
        assert!(message.starts_with("expected three different means among the nearest 30 %"), "{message}");
        assert!(Loess::fit(&[], &[], 0.3).is_err());
        assert!(Loess::fit(&[1.0; 30], &[1.0; 30], 0.3).is_err());
    }

    proptest! {
        #[test]
        fn a_parabola_is_its_own_curve(x in prop::collection::vec(-3.0..3.0_f64, 30..200), a in -2.0..2.0_f64) {
            let parabola = |x: f64| 1.0 + a * x - 0.5 * x * x;
            let y: Vec<f64> = x.iter().map(|x| parabola(*x)).collect();
            if let Ok(curve) = Loess::fit(&x, &y, 0.3) {
                // A cubic between two points with the values and slopes of a parabola is that parabola.
                x.iter().for_each(|x| assert!((curve.at(*x) - parabola(*x)).abs() < 1e-6));
            }
        }
    }
}
