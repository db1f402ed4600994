//! How far two partitions of the same items agree, whatever their parts are called.

use std::collections::HashMap;

use crate::{Error, Result};

/// The adjusted Rand index of two partitions (Hubert and Arabie 1985); `O(n)`.
///
/// The share of pairs of items on which the partitions agree, rescaled so that equal partitions have 1, and random
/// ones with parts of the same sizes 0 on average. It may be negative, down to `−1/2`.
///
/// With `a` pairs together in both partitions, `b` in the first only, `c` in the second only and `d` in neither:
/// `2 (a d − b c) / ((a + b) (b + d) + (a + c) (c + d))`.
///
/// # Errors
/// No items, or partitions of different numbers of items.
///
/// ```
/// use aais_metrics::adjusted_rand_index;
///
/// let types = [0, 0, 1, 1, 2];
/// assert_eq!(adjusted_rand_index(&types, &[7, 7, 3, 3, 5])?, 1.0);
/// assert_eq!(adjusted_rand_index(&types, &[0, 0, 1, 2, 2])?, 0.375);
/// # Ok::<(), aais_metrics::Error>(())
/// ```
pub fn adjusted_rand_index(first: &[usize], second: &[usize]) -> Result<f64> {
    let table = Contingency::new(first, second)?;
    if table.is_renaming() {
        return Ok(1.0);
    }

    // Pairs are ordered: all counts are twice those above, and integers up to here.
    let all = table.n * (table.n - 1);
    let in_both = pairs(table.cells.iter().map(|cell| cell.count));
    let in_first = pairs(table.first.iter().copied());
    let in_second = pairs(table.second.iter().copied());
    let [a, b, c] = [in_both, in_first - in_both, in_second - in_both].map(|count| count as f64);
    let d = (all + in_both - in_first - in_second) as f64;

    Ok(2.0 * (a * d - b * c) / ((a + b) * (b + d) + (a + c) * (c + d)))
}

/// The mutual information of two partitions over the mean of their entropies, in `[0, 1]`; `O(n)`.
///
/// `2 I(A, B) / (H(A) + H(B))`, 1 for equal partitions and 0 where one says nothing about the other. Other authors
/// divide by the larger entropy or by a geometric mean; scikit-learn and the paper take the arithmetic one.
///
/// # Errors
/// No items, or partitions of different numbers of items.
///
/// ```
/// use aais_metrics::normalized_mutual_information;
///
/// assert_eq!(normalized_mutual_information(&[0, 0, 1, 1], &[0, 1, 0, 1])?, 0.0);
/// assert!((normalized_mutual_information(&[0, 1, 2, 3], &[0, 0, 1, 1])? - 2.0 / 3.0).abs() < 1e-15);
/// # Ok::<(), aais_metrics::Error>(())
/// ```
pub fn normalized_mutual_information(first: &[usize], second: &[usize]) -> Result<f64> {
    let table = Contingency::new(first, second)?;
    if table.is_renaming() {
        return Ok(1.0);
    }

    let n = table.n as f64;
    let entropy =
        |sizes: &[u128]| -> f64 { sizes.iter().map(|&size| size as f64).map(|size| size / n * (n / size).ln()).sum() };
    let information = |cell: &Cell| {
        // Products of counts, so that independent partitions have a ratio of exactly one.
        let expected = table.first[cell.first] as f64 * table.second[cell.second] as f64;
        let count = cell.count as f64;
        count / n * (count * n / expected).ln()
    };
    let shared: f64 = table.cells.iter().map(information).sum();

    let mean_entropy = 0.5 * (entropy(&table.first) + entropy(&table.second));
    // Rounding may leave the interval by an ulp.
    Ok((shared / mean_entropy).clamp(0.0, 1.0))
}

/// How many items lie in each part of both partitions, and in each pair of parts that has any.
///
/// Everything is in the order of first appearance, which neither names nor hashing can change.
struct Contingency {
    n: u128,
    /// Sizes of the first partition's parts.
    first: Vec<u128>,
    second: Vec<u128>,
    cells: Vec<Cell>,
}

/// Items in one part of either partition.
struct Cell {
    first: usize,
    second: usize,
    count: u128,
}

impl Contingency {
    fn new(first: &[usize], second: &[usize]) -> Result<Self> {
        if first.len() != second.len() {
            return Err(Error::Partitions { first: first.len(), second: second.len() });
        }
        if first.is_empty() {
            return Err(Error::EmptySample);
        }
        let (mut first_parts, mut second_parts, mut pairs) = (Places::new(), Places::new(), HashMap::new());
        let mut table = Self { n: first.len() as u128, first: vec![], second: vec![], cells: vec![] };
        for (&a, &b) in first.iter().zip(second) {
            let a = place(&mut first_parts, a, &mut table.first);
            let b = place(&mut second_parts, b, &mut table.second);
            table.first[a] += 1;
            table.second[b] += 1;
            let next = table.cells.len();
            let at = *pairs.entry((a, b)).or_insert(next);
            if at == next {
                table.cells.push(Cell { first: a, second: b, count: 0 });
            }
            table.cells[at].count += 1;
        }
        Ok(table)
    }

    /// Whether the partitions differ in the names of their parts alone.
    fn is_renaming(&self) -> bool {
        self.cells.len() == self.first.len() && self.cells.len() == self.second.len()
    }
}

/// Labels to places.
type Places = HashMap<usize, usize>;

/// The place of a label, with a part for it if it is new.
fn place(places: &mut Places, label: usize, sizes: &mut Vec<u128>) -> usize {
    let at = *places.entry(label).or_insert(sizes.len());
    if at == sizes.len() {
        sizes.push(0);
    }
    at
}

/// Ordered pairs of different items within parts of these sizes.
fn pairs(sizes: impl Iterator<Item = u128>) -> u128 {
    sizes.map(|size| size * (size - 1)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A case with the two numbers of scikit-learn 1.9.1:
    /// `adjusted_rand_score(first, second)` and `normalized_mutual_info_score(first, second)`.
    struct Golden {
        name: &'static str,
        first: Vec<usize>,
        second: Vec<usize>,
        rand: f64,
        information: f64,
    }

    fn golden() -> Vec<Golden> {
        let case = |name, first: &[usize], second: &[usize], rand, information| Golden {
            name,
            first: first.to_vec(),
            second: second.to_vec(),
            rand,
            information,
        };
        let seven: Vec<usize> = (0..200).map(|i| (i * i + 3 * i) % 7).collect();
        let five: Vec<usize> = (0..200).map(|i| (i * i * i + i / 3) % 5).collect();
        let noisy: Vec<usize> = (0..200).map(|i| (seven[i] + usize::from(i % 4 == 0)) % 7).collect();
        vec![
            case("overlap", &[0, 0, 1, 1, 2], &[0, 0, 1, 2, 2], 0.375, 0.737175493807016),
            case("the lowest index", &[0, 0, 1, 1], &[0, 1, 0, 1], -0.5, 0.0),
            case("one part and halves", &[0, 0, 0, 0], &[0, 0, 1, 1], 0.0, 0.0),
            case("one part twice", &[0, 0, 0], &[7, 7, 7], 1.0, 1.0),
            case("singletons and one part", &[0, 1, 2, 3], &[0, 0, 0, 0], 0.0, 0.0),
            case("singletons twice", &[0, 1, 2, 3], &[3, 1, 0, 2], 1.0, 1.0),
            case("singletons and halves", &[0, 1, 2, 3], &[0, 0, 1, 1], 0.0, 0.6666666666666666),
            case("renamed", &[0, 0, 1, 1, 2, 2, 2], &[5, 5, 9, 9, 1, 1, 1], 1.0, 1.0),
            case("almost independent", &seven, &five, -0.013803335847885742, 0.0008690058704267439),
            case("one in four moved", &seven, &noisy, 0.5969691860317726, 0.7269663989688345),
        ]
    }

    #[test]
    fn both_are_scikit_learns() {
        for Golden { name, first, second, rand, information } in golden() {
            // Sums of at most 35 terms below one, each rounded.
            let found = adjusted_rand_index(&first, &second).unwrap();
            assert!((found - rand).abs() < 1e-15, "{name}: {found}, scikit-learn has {rand}");
            let found = normalized_mutual_information(&first, &second).unwrap();
            assert!((found - information).abs() < 1e-14, "{name}: {found}, scikit-learn has {information}");
        }
    }

    #[test]
    fn a_single_item_agrees_with_itself() {
        assert_eq!(adjusted_rand_index(&[3], &[5]), Ok(1.0));
        assert_eq!(normalized_mutual_information(&[3], &[5]), Ok(1.0));
    }

    #[test]
    fn bad_partitions_are_refused() {
        assert_eq!(adjusted_rand_index(&[], &[]), Err(Error::EmptySample));
        assert_eq!(adjusted_rand_index(&[1], &[]), Err(Error::Partitions { first: 1, second: 0 }));
        assert_eq!(normalized_mutual_information(&[], &[]), Err(Error::EmptySample));
        let message = normalized_mutual_information(&[1], &[1, 2]).unwrap_err().to_string();
        assert_eq!(message, "expected two partitions of the same items, got 1 and 2 labels");
    }

    /// The definition, pair by pair.
    fn by_all_pairs(first: &[usize], second: &[usize]) -> f64 {
        let [mut both, mut in_first, mut in_second, mut all] = [0.0; 4];
        for i in 0..first.len() {
            for k in 0..i {
                let (same_first, same_second) = (first[i] == first[k], second[i] == second[k]);
                in_first += f64::from(u8::from(same_first));
                in_second += f64::from(u8::from(same_second));
                both += f64::from(u8::from(same_first && same_second));
                all += 1.0;
            }
        }
        let expected = in_first * in_second / all;
        let highest = 0.5 * (in_first + in_second);
        if highest == expected { 1.0 } else { (both - expected) / (highest - expected) }
    }

    fn labels() -> impl Strategy<Value = Vec<(usize, usize)>> {
        prop::collection::vec((0_usize..5, 0_usize..4), 2..80)
    }

    proptest! {
        #[test]
        fn the_table_counts_what_all_pairs_count(labels in labels()) {
            let (first, second): (Vec<_>, Vec<_>) = labels.into_iter().unzip();
            let found = adjusted_rand_index(&first, &second).unwrap();
            let expected = by_all_pairs(&first, &second);
            // The direct formula cancels: `highest − expected` may be a pair in a thousand.
            prop_assert!((found - expected).abs() < 1e-11, "{found}, pair by pair {expected}");
        }

        #[test]
        fn neither_order_nor_names_matter(labels in labels()) {
            let (first, second): (Vec<_>, Vec<_>) = labels.into_iter().unzip();
            let renamed: Vec<usize> = first.iter().map(|label| usize::MAX - 7 * label).collect();
            for measure in [adjusted_rand_index, normalized_mutual_information] {
                let value = measure(&first, &second).unwrap();
                prop_assert!((-0.5..=1.0).contains(&value));
                prop_assert_eq!(measure(&renamed, &second).unwrap(), value);
                prop_assert_eq!(measure(&second, &first).unwrap(), value);
                prop_assert_eq!(measure(&first, &renamed).unwrap(), 1.0);
            }
        }
    }
}
