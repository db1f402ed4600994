//! Rows as the engine visits them: equal ones once, in the order of their groups.
//!
//! Every family's log-likelihood is linear in the response at a given linear predictor, so rows that share one can be
//! fitted as their weighted mean; constants come from the rows as they were.
//! With one grouping factor, groups of equal content have equal modes and are solved once.

use std::cmp::Ordering;

use crate::{Design, RandomTerm};

/// `M ≤ N` distinct rows.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    pub n_fixed: usize,
    /// Random effects that act on a row, over all grouping factors.
    pub n_effects: usize,
    pub n_factors: usize,
    /// `(M, p)`, row by row.
    pub fixed: Vec<f64>,
    /// `(M, n_effects)`, row by row: the factors' effects side by side.
    pub effects: Vec<f64>,
    /// `(M, n_factors)`: the group of each factor.
    pub groups: Vec<u32>,
    pub offset: Vec<f64>,
    /// Weighted mean response of the rows joined.
    pub response: Vec<f64>,
    /// Their total weight.
    pub weights: Vec<f64>,
    /// How many groups of equal content this row's group stands for.
    pub copies: Vec<f64>,
    /// Rows with a positive weight before any were joined.
    pub n_used: usize,
    /// `Σ w (y − ȳ)²` within joined rows.
    pub within: f64,
}

/// One grouping factor: terms of the same group act together.
#[derive(Debug, Clone)]
pub(crate) struct Factor {
    /// Effects per level.
    pub size: usize,
    /// The group that stands for each level.
    pub group_of_level: Vec<u32>,
    /// How many levels each group stands for.
    pub copies: Vec<f64>,
}

/// A design's rows, its grouping factors by decreasing number of levels, and the factor of each term.
#[derive(Debug, Clone)]
pub(crate) struct Arranged {
    pub rows: Rows,
    pub factors: Vec<Factor>,
    pub factor_of_term: Vec<usize>,
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.offset.len()
    }

    pub(crate) fn fixed_row(&self, row: usize) -> &[f64] {
        &self.fixed[row * self.n_fixed..(row + 1) * self.n_fixed]
    }
}

/// Joins equal rows and equal groups of a checked design.
pub(crate) fn arrange(design: &Design) -> Arranged {
    let factor_of_term = assign_factors(&design.random);
    let n_factors = factor_of_term.iter().max().map_or(0, |last| last + 1);
    let table = Table::new(design, &factor_of_term, n_factors);
    let mut rows = table.join(design);

    let mut factors: Vec<Factor> = (0..n_factors)
        .map(|factor| {
            let terms =
                || factor_of_term.iter().zip(&design.random).filter(|(of, _)| **of == factor).map(|(_, term)| term);
            let n_levels = terms().map(|term| term.levels.len()).max().unwrap_or(0);
            let size = terms().map(|term| term.effects.ncols()).sum();
            Factor { size, group_of_level: (0..to_u32(n_levels)).collect(), copies: vec![1.0; n_levels] }
        })
        .collect();
    if let [factor] = factors.as_mut_slice() {
        rows = join_groups(rows, factor);
    }
    Arranged { rows, factors, factor_of_term }
}

/// Numbers the distinct groupings by decreasing number of levels: eliminated in this order, nested factors fill nothing.
fn assign_factors(terms: &[RandomTerm]) -> Vec<usize> {
    let mut first_terms: Vec<usize> = Vec::new();
    let mut found = Vec::with_capacity(terms.len());
    for (index, term) in terms.iter().enumerate() {
        let known = first_terms.iter().position(|&first| terms[first].codes == term.codes);
        found.push(known.unwrap_or(first_terms.len()));
        if known.is_none() {
            first_terms.push(index);
        }
    }
    let mut by_levels: Vec<usize> = (0..first_terms.len()).collect();
    by_levels.sort_by_key(|&factor| std::cmp::Reverse(terms[first_terms[factor]].levels.len()));
    let mut rank = vec![0; by_levels.len()];
    for (place, &factor) in by_levels.iter().enumerate() {
        rank[factor] = place;
    }
    found.into_iter().map(|factor| rank[factor]).collect()
}

/// Rows of a design side by side, so that they can be compared.
struct Table {
    n_factors: usize,
    n_effects: usize,
    /// Offset, effects by factor, fixed effects.
    numbers: Vec<f64>,
    width: usize,
    groups: Vec<u32>,
}

impl Table {
    fn new(design: &Design, factor_of_term: &[usize], n_factors: usize) -> Self {
        let n_rows = design.offset.len();
        let mut columns: Vec<(usize, usize, usize)> = Vec::new();
        for (index, term) in design.random.iter().enumerate() {
            columns.extend((0..term.effects.ncols()).map(|column| (factor_of_term[index], index, column)));
        }
        columns.sort();

        let n_effects = columns.len();
        let width = 1 + n_effects + design.fixed.ncols();
        let mut numbers = Vec::with_capacity(n_rows * width);
        let mut groups = Vec::with_capacity(n_rows * n_factors);
        let first_terms: Vec<usize> =
            (0..n_factors).filter_map(|factor| factor_of_term.iter().position(|of| *of == factor)).collect();
        for row in 0..n_rows {
            numbers.push(design.offset[row]);
            numbers.extend(columns.iter().map(|&(_, term, column)| design.random[term].effects[(row, column)]));
            numbers.extend(design.fixed.row(row));
            groups.extend(first_terms.iter().map(|&term| to_u32(design.random[term].codes[row])));
        }
        Self { n_factors, n_effects, numbers, width, groups }
    }

    fn numbers(&self, row: usize) -> &[f64] {
        &self.numbers[row * self.width..(row + 1) * self.width]
    }

    fn groups(&self, row: usize) -> &[u32] {
        &self.groups[row * self.n_factors..(row + 1) * self.n_factors]
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        self.groups(a).cmp(self.groups(b)).then_with(|| compare(self.numbers(a), self.numbers(b)))
    }

    /// One row for every distinct one, sorted by groups.
    fn join(&self, design: &Design) -> Rows {
        let (values, weights) = (&design.response.values, &design.response.weights);
        let mut order: Vec<usize> = (0..values.len()).filter(|&row| weights[row] > 0.0).collect();
        order.sort_unstable_by(|&a, &b| self.compare(a, b).then(a.cmp(&b)));

        let mut rows = self.empty_rows(order.len());
        for same in order.chunk_by(|&a, &b| self.compare(a, b).is_eq()) {
            let total: f64 = same.iter().map(|&row| weights[row]).sum();
            let mean = match same {
                [only] => values[*only],
                _ => same.iter().map(|&row| weights[row] * values[row]).sum::<f64>() / total,
            };
            rows.within += same.iter().map(|&row| weights[row] * (values[row] - mean).powi(2)).sum::<f64>();
            rows.response.push(mean);
            rows.weights.push(total);
            rows.copies.push(1.0);
            let numbers = self.numbers(same[0]);
            rows.offset.push(numbers[0]);
            rows.effects.extend(&numbers[1..=self.n_effects]);
            rows.fixed.extend(&numbers[1 + self.n_effects..]);
            rows.groups.extend(self.groups(same[0]));
        }
        rows
    }

    fn empty_rows(&self, n_used: usize) -> Rows {
        Rows {
            n_fixed: self.width - 1 - self.n_effects,
            n_effects: self.n_effects,
            n_factors: self.n_factors,
            fixed: Vec::new(),
            effects: Vec::new(),
            groups: Vec::new(),
            offset: Vec::new(),
            response: Vec::new(),
            weights: Vec::new(),
            copies: Vec::new(),
            n_used,
            within: 0.0,
        }
    }
}

/// Keeps one group of each content; levels without rows share an empty group.
fn join_groups(rows: Rows, factor: &mut Factor) -> Rows {
    let n_levels = factor.group_of_level.len();
    let mut spans = vec![0..0; n_levels];
    let mut start = 0;
    for same in rows.groups.chunk_by(|a, b| a == b) {
        spans[same[0] as usize] = start..start + same.len();
        start += same.len();
    }
    let content = |level: usize| {
        let rows = &rows;
        spans[level].clone().flat_map(move |row| {
            let own = [rows.offset[row], rows.response[row], rows.weights[row]];
            let effects = &rows.effects[row * rows.n_effects..(row + 1) * rows.n_effects];
            own.into_iter().chain(effects.iter().copied()).chain(rows.fixed_row(row).iter().copied())
        })
    };
    let compare = |a: usize, b: usize| {
        spans[a].len().cmp(&spans[b].len()).then_with(|| {
            let differing = content(a).zip(content(b)).map(|(a, b)| a.total_cmp(&b)).find(|order| order.is_ne());
            differing.unwrap_or(Ordering::Equal)
        })
    };
    let mut order: Vec<usize> = (0..n_levels).collect();
    order.sort_unstable_by(|&a, &b| compare(a, b).then(a.cmp(&b)));

    // Groups are numbered by their first level, so that data without equal groups keep their order.
    let mut kept: Vec<(usize, Vec<usize>)> =
        order.chunk_by(|&a, &b| compare(a, b).is_eq()).map(|same| (same[0], same.to_vec())).collect();
    kept.sort_unstable_by_key(|(first, _)| *first);
    factor.copies = kept.iter().map(|(_, levels)| levels.len() as f64).collect();
    for (group, (_, levels)) in kept.iter().enumerate() {
        levels.iter().for_each(|&level| factor.group_of_level[level] = to_u32(group));
    }

    let total_within = rows.within;
    let mut joined =
        Rows { within: total_within, ..select(&rows, kept.iter().flat_map(|(first, _)| spans[*first].clone())) };
    for row in 0..joined.len() {
        let group = factor.group_of_level[joined.groups[row] as usize];
        joined.groups[row] = group;
        joined.copies[row] = factor.copies[group as usize];
    }
    joined
}

fn select(rows: &Rows, chosen: impl Iterator<Item = usize> + Clone) -> Rows {
    let table = |values: &[f64], width: usize| -> Vec<f64> {
        chosen.clone().flat_map(|row| values[row * width..(row + 1) * width].iter().copied()).collect()
    };
    Rows {
        n_fixed: rows.n_fixed,
        n_effects: rows.n_effects,
        n_factors: rows.n_factors,
        fixed: table(&rows.fixed, rows.n_fixed),
        effects: table(&rows.effects, rows.n_effects),
        groups: chosen.clone().map(|row| rows.groups[row]).collect(),
        offset: table(&rows.offset, 1),
        response: table(&rows.response, 1),
        weights: table(&rows.weights, 1),
        copies: table(&rows.copies, 1),
        n_used: rows.n_used,
        within: rows.within,
    }
}

fn compare(a: &[f64], b: &[f64]) -> Ordering {
    let differing = a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne());
    differing.unwrap_or(Ordering::Equal)
}

/// Rows and levels are counted in 32 bits; memory ends before.
pub(crate) fn to_u32(index: usize) -> u32 {
    u32::try_from(index).expect("a design has fewer than 2^32 rows")
}
