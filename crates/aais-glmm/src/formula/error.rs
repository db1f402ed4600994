//! What is wrong with a formula, shown in the formula.

use std::fmt;

/// Where a formula cannot be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct FormulaError {
    /// What was wanted and what came.
    pub message: String,
    /// Where, in characters from zero.
    pub position: usize,
    /// The formula.
    pub formula: String,
}

impl FormulaError {
    pub(crate) fn new(formula: &str, position: usize, message: impl Into<String>) -> Self {
        Self { message: message.into(), position, formula: formula.to_owned() }
    }
}

/// The message, the formula, and a caret under the character, which the message counts from one.
impl fmt::Display for FormulaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name in backquotes may hold anything, and the formula several lines.
        let on_one_line = |text: &str| text.replace(char::is_control, " ");
        let (message, line) = (on_one_line(&self.message), on_one_line(&self.formula));
        let (at, caret) = (self.position + 1, " ".repeat(self.position));
        write!(f, "character {at} of the formula: {message}\n  {line}\n  {caret}^")
    }
}
