//! Where `ZᵀWZ` and its Cholesky factor have entries; found once, used by every fit.
//!
//! A node is one group of one factor with its block of effects. Nodes are eliminated factor by factor, the one with
//! the most levels first: its nodes never meet in a row, so their part is block diagonal. From the node on where
//! most pairs are filled, the remaining ones are one dense triangle.

use crate::rows::{Factor, Rows, to_u32};
use crate::{Error, Result};

/// Share of the nodes after it that a node must meet to be stored densely; below, lists of blocks are smaller and faster.
const DENSE_FILL: f64 = 0.4;

/// Largest dense triangle: 3.2 GB as a square of numbers, which the fit holds three times.
const MAX_DENSE_ORDER: usize = 20_000;

/// Blocks of the lower triangle, in one array of values: node by node its diagonal block and the blocks below, each
/// row by row; last the dense triangle of the trailing nodes, row by row.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    /// First node of each factor, and the number of nodes.
    pub first_node: Vec<usize>,
    /// Effects of each node.
    pub sizes: Vec<usize>,
    /// Factor of each node.
    pub factors: Vec<usize>,
    /// First scalar of each node, and the number of scalars.
    pub starts: Vec<usize>,
    /// How many equal groups the node stands for.
    pub copies: Vec<f64>,
    /// Nodes stored as lists; the others are dense.
    pub n_listed: usize,
    /// Nodes below the diagonal of each listed node, `below_starts[j]..below_starts[j + 1]`.
    pub below: Vec<u32>,
    pub below_starts: Vec<usize>,
    /// Where each of these blocks begins.
    pub below_places: Vec<u32>,
    /// Scalars of the nodes below each listed node, `scalar_starts[j]..scalar_starts[j + 1]`.
    pub below_scalars: Vec<u32>,
    pub scalar_starts: Vec<usize>,
    /// Where each diagonal block of a listed node begins.
    pub diagonal: Vec<usize>,
    /// For each listed node, where the products of pairs of listed nodes below it go.
    pub targets: Vec<u32>,
    pub target_starts: Vec<usize>,
    /// Where the dense triangle begins, and its order.
    pub dense_start: usize,
    pub dense_order: usize,
    /// `(M, n_factors (n_factors + 1) / 2)`: the blocks a row adds to, `(0,0), (1,0), (1,1), (2,0), …`.
    pub row_places: Vec<u32>,
}

impl Pattern {
    /// Finds the pattern; an error if it would not fit into memory.
    pub(crate) fn new(rows: &Rows, factors: &[Factor]) -> Result<Self> {
        let mut pattern = Self::nodes(factors);
        let columns = pattern.eliminate(rows);
        pattern.n_listed = first_dense(&columns);
        let dense_order = pattern.n_scalars() - pattern.dense_scalar();
        if dense_order > MAX_DENSE_ORDER {
            let reason = format!("crossed grouping factors leave {dense_order} effects that all depend on each other");
            return Err(Error::Unavailable { asked: "this model", reason });
        }
        pattern.lay_out(&columns);
        pattern.find_targets();
        pattern.find_rows(rows);
        Ok(pattern)
    }

    pub(crate) fn n_nodes(&self) -> usize {
        self.sizes.len()
    }

    pub(crate) fn n_scalars(&self) -> usize {
        self.starts[self.n_nodes()]
    }

    pub(crate) fn n_values(&self) -> usize {
        self.dense_start + self.dense_order * self.dense_order
    }

    /// Distance between rows of a block in the column of a node.
    pub(crate) fn stride(&self, column: usize) -> usize {
        if column < self.n_listed { self.sizes[column] } else { self.dense_order }
    }

    /// Scalars below a listed node.
    pub(crate) fn scalars_below(&self, node: usize) -> &[u32] {
        &self.below_scalars[self.scalar_starts[node]..self.scalar_starts[node + 1]]
    }

    /// Where the blocks below a listed node are, row by row.
    pub(crate) fn block_below(&self, node: usize) -> std::ops::Range<usize> {
        let end = self.diagonal.get(node + 1).copied().unwrap_or(self.dense_start);
        self.diagonal[node] + self.sizes[node] * self.sizes[node]..end
    }

    /// First scalar of the dense triangle.
    pub(crate) fn dense_scalar(&self) -> usize {
        self.starts[self.n_listed]
    }

    /// Where the block of two nodes begins, the later one first; they must be in one row or filled.
    pub(crate) fn place(&self, later: usize, earlier: usize) -> usize {
        if later == earlier && earlier < self.n_listed {
            return self.diagonal[earlier];
        }
        if earlier < self.n_listed {
            let span = self.below_starts[earlier]..self.below_starts[earlier + 1];
            let found = self.below[span.clone()].binary_search(&to_u32(later)).expect("the pair is in the pattern");
            return self.below_places[span.start + found] as usize;
        }
        let [row, column] = [later, earlier].map(|node| self.starts[node] - self.dense_scalar());
        self.dense_start + row * self.dense_order + column
    }

    fn nodes(factors: &[Factor]) -> Self {
        let mut pattern = Self {
            first_node: vec![0],
            sizes: Vec::new(),
            factors: Vec::new(),
            starts: vec![0],
            copies: Vec::new(),
            n_listed: 0,
            below: Vec::new(),
            below_starts: vec![0],
            below_places: Vec::new(),
            below_scalars: Vec::new(),
            scalar_starts: vec![0],
            diagonal: Vec::new(),
            targets: Vec::new(),
            target_starts: vec![0],
            dense_start: 0,
            dense_order: 0,
            row_places: Vec::new(),
        };
        let mut n_scalars = 0;
        for (index, factor) in factors.iter().enumerate() {
            for copies in &factor.copies {
                pattern.sizes.push(factor.size);
                pattern.factors.push(index);
                pattern.copies.push(*copies);
                n_scalars += factor.size;
                pattern.starts.push(n_scalars);
            }
            pattern.first_node.push(pattern.sizes.len());
        }
        pattern
    }

    /// Symbolic elimination: the later nodes that each node meets, in the data or by fill.
    fn eliminate(&self, rows: &Rows) -> Vec<Vec<u32>> {
        let mut columns = self.neighbours(rows);
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); self.n_nodes()];
        for node in 0..self.n_nodes() {
            let mut column = std::mem::take(&mut columns[node]);
            for &child in &children[node] {
                column.extend(columns[child].iter().filter(|later| **later as usize != node));
            }
            column.sort_unstable();
            column.dedup();
            // What a node leaves behind reaches the factor through its first neighbour alone.
            if let Some(&parent) = column.first() {
                children[parent as usize].push(node);
            }
            columns[node] = column;
        }
        columns
    }

    /// Later nodes in the same rows.
    fn neighbours(&self, rows: &Rows) -> Vec<Vec<u32>> {
        let n_factors = rows.n_factors;
        let mut columns: Vec<Vec<u32>> = vec![Vec::new(); self.n_nodes()];
        if n_factors > 1 {
            for groups in rows.groups.chunks(n_factors) {
                let node = |factor: usize| self.first_node[factor] + groups[factor] as usize;
                for earlier in 0..n_factors {
                    let column = &mut columns[node(earlier)];
                    for later in (earlier + 1..n_factors).map(|factor| to_u32(node(factor))) {
                        // Rows are sorted by group: repeats mostly follow each other.
                        if column.last() != Some(&later) {
                            column.push(later);
                        }
                    }
                }
            }
        }
        columns
    }

    fn lay_out(&mut self, columns: &[Vec<u32>]) {
        let mut end = 0;
        for (node, column) in columns.iter().enumerate().take(self.n_listed) {
            let size = self.sizes[node];
            self.diagonal.push(end);
            end += size * size;
            for &later in column {
                self.below.push(later);
                self.below_places.push(to_u32(end));
                end += self.sizes[later as usize] * size;
                let scalars = self.starts[later as usize]..self.starts[later as usize + 1];
                self.below_scalars.extend(scalars.map(to_u32));
            }
            self.below_starts.push(self.below.len());
            self.scalar_starts.push(self.below_scalars.len());
        }
        self.dense_start = end;
        self.dense_order = self.n_scalars() - self.dense_scalar();
    }

    fn find_targets(&mut self) {
        for node in 0..self.n_listed {
            let below = &self.below[self.below_starts[node]..self.below_starts[node + 1]];
            let n_listed_below = below.partition_point(|later| (*later as usize) < self.n_listed);
            let mut found = Vec::new();
            for (index, &column) in below[..n_listed_below].iter().enumerate() {
                found.extend(below[index..].iter().map(|&row| to_u32(self.place(row as usize, column as usize))));
            }
            self.targets.extend(found);
            self.target_starts.push(self.targets.len());
        }
    }

    fn find_rows(&mut self, rows: &Rows) {
        let n_factors = rows.n_factors;
        let mut places = Vec::with_capacity(rows.len() * n_factors * (n_factors + 1) / 2);
        if n_factors > 0 {
            for groups in rows.groups.chunks(n_factors) {
                let node = |factor: usize| self.first_node[factor] + groups[factor] as usize;
                for later in 0..n_factors {
                    places.extend((0..=later).map(|earlier| to_u32(self.place(node(later), node(earlier)))));
                }
            }
        }
        self.row_places = places;
    }
}

/// The first of the last nodes that each meet most of the nodes after them.
fn first_dense(columns: &[Vec<u32>]) -> usize {
    let n_nodes = columns.len();
    let is_dense = |node: &usize| columns[*node].len() as f64 >= DENSE_FILL * (n_nodes - node - 1) as f64;
    let first = n_nodes - (0..n_nodes).rev().take_while(is_dense).count();
    // The last node alone meets nobody.
    if first + 1 == n_nodes { n_nodes } else { first }
}
