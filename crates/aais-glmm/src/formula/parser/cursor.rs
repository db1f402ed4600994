//! Looking at the next word, taking it, and saying what was wanted instead.

use super::super::Sign;
use super::super::lexer::{Kind, Token};
use super::{MAX_NESTED, MAX_OPERATORS, Parser, Result};
use crate::FormulaError;

impl Parser<'_> {
    /// Takes the function's name if its call stands here.
    pub(super) fn calls(&mut self, function: &str) -> bool {
        let is_call = matches!(self.kind(), Kind::Name(name) if name == function) && self.follows("(");
        self.at += usize::from(is_call);
        is_call
    }

    /// Takes the symbol if it stands here.
    pub(super) fn take(&mut self, symbol: &'static str) -> bool {
        let is_here = *self.kind() == Kind::Symbol(symbol);
        self.at += usize::from(is_here);
        is_here
    }

    /// Takes the name of a column; `wanted` says for the error what it is.
    pub(super) fn column(&mut self, wanted: &str) -> Result<String> {
        match self.kind().clone() {
            Kind::Name(name) if name == "." => Err(self.unexpected(wanted)),
            Kind::Name(name) | Kind::Quoted(name) => {
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.unexpected(wanted)),
        }
    }

    pub(super) fn leading_sign(&mut self) -> Sign {
        self.sign().unwrap_or(Sign::Plus)
    }

    pub(super) fn sign(&mut self) -> Option<Sign> {
        let sign = match self.kind() {
            Kind::Symbol("+") => Sign::Plus,
            Kind::Symbol("-") => Sign::Minus,
            _ => return None,
        };
        self.at += 1;
        Some(sign)
    }

    pub(super) fn open(&mut self) -> Result<()> {
        if self.n_nested == MAX_NESTED {
            let message = format!("expected at most {MAX_NESTED} parentheses within each other, got more");
            return Err(self.error(message));
        }
        self.n_nested += 1;
        self.expect("(", "`(`")
    }

    pub(super) fn close(&mut self) -> Result<()> {
        self.n_nested -= 1;
        self.expect(")", "`)`")
    }

    /// Takes an operator and counts it.
    pub(super) fn operator(&mut self) -> Result<()> {
        self.n_operators += 1;
        if self.n_operators > MAX_OPERATORS {
            return Err(self.error(format!("expected at most {MAX_OPERATORS} operators in one part, got more")));
        }
        self.at += 1;
        Ok(())
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.tokens[self.at].kind
    }

    pub(super) fn position(&self) -> usize {
        self.tokens[self.at].position
    }

    pub(super) fn follows(&self, symbol: &str) -> bool {
        matches!(self.tokens.get(self.at + 1), Some(Token { kind: Kind::Symbol(next), .. }) if *next == symbol)
    }

    pub(super) fn expect(&mut self, symbol: &'static str, wanted: &str) -> Result<()> {
        if self.take(symbol) { Ok(()) } else { Err(self.unexpected(wanted)) }
    }

    pub(super) fn unexpected(&self, wanted: &str) -> FormulaError {
        let hint = match self.kind() {
            Kind::Symbol("|" | "||") if self.n_nested == 0 => "; write random terms as `(1 | g)`",
            Kind::Name(name) if name == "." => "; write out the columns that `.` stands for",
            _ => "",
        };
        self.error(format!("expected {wanted}, got {}{hint}", self.kind().describe()))
    }

    pub(super) fn error(&self, message: String) -> FormulaError {
        FormulaError::new(self.formula, self.position(), message)
    }
}
