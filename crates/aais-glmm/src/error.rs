//! What can be wrong with a formula, data or a fit.

use crate::FormulaError;

/// Why there is no model or no fit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A formula that cannot be read.
    #[error(transparent)]
    Formula(#[from] FormulaError),

    /// Data without columns.
    #[error("expected data with at least one column, got none; add columns with `Data::with`")]
    NoColumns,

    /// A column of another length than those before.
    #[error("expected {expected} rows in column `{column}` as in the columns before, got {found}")]
    Length {
        /// The column.
        column: String,
        /// Rows of the columns before.
        expected: usize,
        /// Its rows.
        found: usize,
    },

    /// A column without rows.
    #[error("expected at least one row, got none in column `{column}`")]
    NoRows {
        /// The column.
        column: String,
    },

    /// Two columns of one name.
    #[error("expected one column `{column}`, got a second")]
    DuplicateColumn {
        /// The name.
        column: String,
    },

    /// The data have no column of this name.
    #[error("unknown column `{column}`; {}", remedy(.nearest, .known))]
    UnknownColumn {
        /// The name asked for.
        column: String,
        /// The name most like it, if one is.
        nearest: Option<String>,
        /// All names.
        known: Vec<String>,
    },

    /// A value that is no level, or a level that is not there.
    #[error("unknown level `{level}`; the levels are {}", list(.known))]
    UnknownLevel {
        /// The value.
        level: String,
        /// All levels.
        known: Vec<String>,
    },

    /// Two levels of one name.
    #[error("expected levels that differ, got `{level}` twice")]
    DuplicateLevel {
        /// The level.
        level: String,
    },

    /// A code beyond the levels.
    #[error("expected codes below {n_levels}, the number of levels, got {code} in row {row}, counted from zero")]
    Code {
        /// The first such code.
        code: usize,
        /// How many levels there are.
        n_levels: usize,
        /// Its row, from zero.
        row: usize,
    },

    /// Rows with missing values, which nobody asked to drop.
    #[error(
        "expected complete rows, got missing values in {n_rows} of {of}: {}; fill them in, \
         or leave these rows out with `Missing::Drop`",
        counts(.columns)
    )]
    Missing {
        /// How many rows miss a value.
        n_rows: usize,
        /// How many rows there are.
        of: usize,
        /// How many values each column misses, of the columns that miss any.
        columns: Vec<(String, usize)>,
    },

    /// Every row misses a value, for one as every row's group is missing.
    #[error("expected complete rows, got missing values in all {n_rows}: {}", counts(.columns))]
    NoCompleteRows {
        /// How many rows there are.
        n_rows: usize,
        /// How many values each column misses, of the columns that miss any.
        columns: Vec<(String, usize)>,
    },

    /// An infinite value of a column, or a computed value that is infinite or not a number.
    #[error("expected finite values, got {value} from `{column}` in row {row}, counted from zero")]
    NotFinite {
        /// The column or expression.
        column: String,
        /// Its first such row, from zero.
        row: usize,
        /// The value.
        value: f64,
    },

    /// A categorical column where numbers are needed.
    #[error("expected a numeric column in {place}, got `{column}`, which is categorical")]
    NotNumeric {
        /// The column.
        column: String,
        /// Where it stands.
        place: String,
    },

    /// A numeric column where levels are needed, and its values are not whole.
    #[error(
        "expected a categorical column, or one of whole numbers, in {place}, got {value} from `{column}` in row {row}, \
         counted from zero; if its values are levels, say so with `Data::categorical`"
    )]
    NotCategorical {
        /// The column.
        column: String,
        /// Where it stands.
        place: String,
        /// The first value that is not whole.
        value: f64,
        /// Its row, from zero.
        row: usize,
    },

    /// A grouping factor, or a categorical variable in a term, of which a single level occurs.
    #[error("expected at least two levels of `{column}` in the data, got `{level}` alone; take it out of the formula")]
    SingleLevel {
        /// The column.
        column: String,
        /// Its only level.
        level: String,
    },

    /// One effect varies twice over one group.
    #[error(
        "expected each effect once for a group, got `{effect}` of `{group}` in two terms; write one term, such as \
         `(1 + x | g)`, or `(1 + x || g)` without correlations"
    )]
    DuplicateEffect {
        /// The effect.
        effect: String,
        /// The grouping factor.
        group: String,
    },

    /// A term whose sum of effects is empty.
    #[error("expected effects that vary over `{group}`, got none; write `(1 | {group})`")]
    NoEffects {
        /// The grouping factor.
        group: String,
    },

    /// More coefficients than rows.
    #[error("expected at most as many columns as the {n_rows} rows, got {n_columns} in {place}; take interactions out")]
    TooManyColumns {
        /// The part of the formula.
        place: String,
        /// Its columns.
        n_columns: usize,
        /// Rows of the data.
        n_rows: usize,
    },

    /// Columns of the fixed effects that the columns before determine.
    #[error(
        "expected linearly independent fixed effects, got columns that are combinations of those before: {}; \
         take their terms out of the formula",
        list(.columns)
    )]
    RankDeficient {
        /// The columns that could go.
        columns: Vec<String>,
    },

    /// A categorical response of other than two levels.
    #[error("expected a response of two levels, got `{column}` with {n_levels}: {}", list(.levels))]
    ResponseLevels {
        /// The response.
        column: String,
        /// How many levels it has.
        n_levels: usize,
        /// The levels.
        levels: Vec<String>,
    },

    /// A response that is neither 0 nor 1.
    #[error("expected 0 or 1 from `{response}`, got {value} in row {row} of the design, counted from zero")]
    NotBinary {
        /// The response.
        response: String,
        /// The first such value.
        value: f64,
        /// Its row, from zero.
        row: usize,
    },

    /// A share of successes that does not come from whole trials.
    #[error(
        "expected a share of whole successes from `{response}`, got {value} of {trials} trials in row {row} of the \
         design, counted from zero; give the trials as prior weights, or write `cbind(successes, failures)`"
    )]
    NotShare {
        /// The response.
        response: String,
        /// The first such share.
        value: f64,
        /// Its trials.
        trials: f64,
        /// Its row, from zero.
        row: usize,
    },

    /// A count that is negative or not whole.
    #[error("expected whole counts of zero or more from `{column}`, got {value} in row {row}, counted from zero")]
    NotCount {
        /// The column or expression.
        column: String,
        /// The first such value.
        value: f64,
        /// Its row, from zero.
        row: usize,
    },

    /// A response that does not vary, so that its likelihood has no maximum.
    #[error("expected a response that varies, got {value} from `{response}` in every row")]
    ConstantResponse {
        /// The response.
        response: String,
        /// Its value.
        value: f64,
    },

    /// A negative prior weight.
    #[error("expected prior weights of zero or more, got {value} from `{column}` in row {row}, counted from zero")]
    NegativeWeight {
        /// The column.
        column: String,
        /// The first such value.
        value: f64,
        /// Its row, from zero.
        row: usize,
    },

    // The engine's: numbers of a design, and fits that fail.
    /// A response that its family cannot have.
    #[error("expected {expected} as the response, got {value} in row {row}")]
    Response {
        /// The row, from zero.
        row: usize,
        /// The value.
        value: f64,
        /// What the family can have.
        expected: &'static str,
    },

    /// A prior weight that the family cannot have.
    #[error("expected {expected}, got {value} in row {row}")]
    Weight {
        /// The row, from zero.
        row: usize,
        /// The weight.
        value: f64,
        /// What the family can have.
        expected: &'static str,
    },

    /// A number of the design that is infinite or not a number.
    #[error("expected finite numbers in {part}, got {value} in row {row}")]
    NonFinite {
        /// Which part of the design.
        part: String,
        /// The row, from zero.
        row: usize,
        /// The value.
        value: f64,
    },

    /// Parts of a design that do not fit together, or a list of parameters of the wrong length.
    #[error("expected {expected} of {part}, got {found}")]
    Size {
        /// Rows, columns, codes or parameters of what.
        part: String,
        /// How many were expected.
        expected: usize,
        /// How many there are.
        found: usize,
    },

    /// A column of the fixed effects is a combination of the ones before it.
    #[error("fixed effect `{name}` is a linear combination of the columns before it; leave it out of the formula")]
    Collinear {
        /// The column's name.
        name: String,
    },

    /// A setting or argument outside its range.
    #[error("expected {expected} as {name}, got {value}")]
    Setting {
        /// Which setting.
        name: &'static str,
        /// What was passed.
        value: f64,
        /// What is possible.
        expected: &'static str,
    },

    /// Something asked of a model that cannot give it.
    #[error("{asked} is not available: {reason}")]
    Unavailable {
        /// What was asked for.
        asked: &'static str,
        /// Why it is not available, and what to do instead.
        reason: String,
    },

    /// Penalized least squares found no finite mode, even from zero random effects.
    #[error("the modes of the random effects are not finite at theta {theta:?}; rescale predictors or check offsets")]
    Diverged {
        /// The covariance parameters.
        theta: Vec<f64>,
    },
}

/// A result, or why there is none.
pub type Result<T> = std::result::Result<T, Error>;

/// How many names a message lists before it only counts them.
const MAX_LISTED: usize = 12;

fn list(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(MAX_LISTED).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(MAX_LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn counts(columns: &[(String, usize)]) -> String {
    columns.iter().map(|(column, n)| format!("{n} in `{column}`")).collect::<Vec<_>>().join(", ")
}

fn remedy(nearest: &Option<String>, known: &[String]) -> String {
    match nearest {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "the data have no columns".to_owned(),
        None => format!("the data have {}", list(known)),
    }
}
