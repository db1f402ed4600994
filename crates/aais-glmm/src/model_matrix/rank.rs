//! Which columns of a matrix the columns before them determine.

use ndarray::Array2;

/// R's `lm` and lme4 take a column for dependent when less than this share of its length is left.
const TOLERANCE: f64 = 1e-7;

/// Positions of the columns that are linear combinations of those before.
///
/// Each column is made orthogonal to the independent ones before it, as in the QR decomposition with R's limited
/// pivoting: a column of which less than [`TOLERANCE`] is left moves to the end.
pub(super) fn dependent_columns(matrix: &Array2<f64>) -> Vec<usize> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let mut dependent = Vec::new();
    for (at, column) in matrix.columns().into_iter().enumerate() {
        // Largest entry one, so that squares neither overflow nor vanish.
        let largest = column.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        if largest == 0.0 {
            dependent.push(at);
            continue;
        }
        let mut rest: Vec<f64> = column.iter().map(|value| value / largest).collect();
        let length = norm(&rest);

        // A second pass removes what rounding left of the first (Kahan's "twice is enough").
        for direction in basis.iter().chain(&basis) {
            let along = dot(direction, &rest);
            rest.iter_mut().zip(direction).for_each(|(rest, unit)| *rest -= along * unit);
        }

        let left = norm(&rest);
        if left < TOLERANCE * length {
            dependent.push(at);
        } else {
            rest.iter_mut().for_each(|value| *value /= left);
            basis.push(rest);
        }
    }
    dependent
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(x, z)| x * z).sum()
}

fn norm(vector: &[f64]) -> f64 {
    dot(vector, vector).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use proptest::prelude::*;

    #[test]
    fn combinations_of_earlier_columns_are_found() {
        let matrix = array![[1.0, 1.0, 0.0, 2.0], [1.0, 0.0, 1.0, 5.0], [1.0, 1.0, 0.0, 7.0], [1.0, 0.0, 1.0, 1.0]];
        assert_eq!(dependent_columns(&matrix), [2]);
        assert_eq!(dependent_columns(&Array2::zeros((3, 2))), [0, 1]);
        assert_eq!(dependent_columns(&array![[1.0, 2.0, 3.0]]), [1, 2]);
    }

    #[test]
    fn scale_does_not_matter_and_the_tolerance_does() {
        assert!(dependent_columns(&array![[1e-200, 1e200], [1e-200, -1e200]]).is_empty());
        assert!(dependent_columns(&array![[1.0, 1.0], [1.0, 1.0 + 1e-6]]).is_empty());
        assert_eq!(dependent_columns(&array![[1.0, 1.0], [1.0, 1.0 + 1e-8]]), [1]);
    }

    proptest! {
        #[test]
        fn an_appended_combination_is_found(
            values in prop::collection::vec(-1.0_f64..1.0, 24),
            weights in prop::collection::vec(0.5_f64..2.0, 3),
        ) {
            let mut matrix = Array2::zeros((8, 4));
            for row in 0..8 {
                for column in 0..3 {
                    // The unit in front keeps the three independent.
                    let value = values[3 * row + column] * 0.1 + f64::from(u8::from(row == column));
                    matrix[[row, column]] = value;
                    matrix[[row, 3]] += weights[column] * value;
                }
            }
            prop_assert_eq!(dependent_columns(&matrix), [3]);
        }
    }
}
