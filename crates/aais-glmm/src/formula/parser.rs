//! Recursive descent over the words of a formula.
//!
//! ```text
//! formula  = response "~" part (sign part)*
//! response = "cbind" "(" value "," value ")" | value
//! part     = "offset" "(" value ")" | "(" sum bars group ")" | summand
//! sum      = summand (sign summand)*
//! summand  = "0" | "1" | product
//! ```
//!
//! Products of effects are in `effects`, values (arithmetic) in `values`.

mod cursor;
mod effects;
mod values;

use super::lexer::{Kind, Token, tokens};
use super::{Correlation, Effect, Expression, Formula, Predictor, RandomPart, ResponsePart, Sign, Sum, Summand};
use crate::FormulaError;

type Result<T> = std::result::Result<T, FormulaError>;

/// Parentheses within parentheses, and operators of one part. Together they bound how deep a tree of a formula grows,
/// which recursive functions walk; no formula that means something comes near.
const MAX_NESTED: usize = 64;
const MAX_OPERATORS: usize = 500;

const EFFECT: &str = "a column, a function, 0, 1 or `(`";

/// Reads a formula.
pub(super) fn parse(formula: &str) -> Result<Formula> {
    let tokens = tokens(formula)?;
    Parser { formula, tokens, at: 0, n_nested: 0, n_operators: 0, response: None }.formula()
}

struct Parser<'a> {
    formula: &'a str,
    /// The last is `End`.
    tokens: Vec<Token>,
    at: usize,
    n_nested: usize,
    n_operators: usize,
    /// What the response is, to notice it among the predictors.
    response: Option<ResponsePart>,
}

impl Parser<'_> {
    fn formula(mut self) -> Result<Formula> {
        let response = self.response()?;
        self.expect("~", "`~` after the response")?;
        self.response = Some(response.clone());

        let start = self.position();
        let (mut fixed, mut offsets, mut random) = (Sum::new(), Vec::new(), Vec::new());
        let mut sign = self.leading_sign();
        loop {
            self.n_operators = 0;
            let position = self.position();
            if self.calls("offset") {
                self.refuse_minus(sign, position, "an offset")?;
                offsets.push(self.argument()?);
                self.expect_end_of_part("an offset")?;
            } else if self.opens_random_part() {
                self.refuse_minus(sign, position, "a random term")?;
                random.push(self.random_part()?);
                self.expect_end_of_part("a random term")?;
            } else {
                fixed.push(Summand { sign, effect: self.summand()? });
            }
            match self.sign() {
                Some(next) => sign = next,
                None => break,
            }
        }
        if *self.kind() != Kind::End {
            return Err(self.unexpected("`+`, `-` or the end of the formula"));
        }

        if fixed.is_empty() {
            fixed.push(Summand { sign: Sign::Plus, effect: Effect::Intercept });
        }
        Ok(Formula { response, fixed: self.predictor(fixed, start)?, offsets, random })
    }

    fn response(&mut self) -> Result<ResponsePart> {
        if *self.kind() == Kind::Symbol("~") {
            return Err(self.unexpected("a response"));
        }
        if !self.calls("cbind") {
            return self.value().map(ResponsePart::Single);
        }
        self.expect("(", "`(`")?;
        let successes = self.value()?;
        self.expect(",", "`,` between successes and failures")?;
        let failures = self.value()?;
        self.expect(")", "`)` after successes and failures")?;
        Ok(ResponsePart::Counts(successes, failures))
    }

    fn random_part(&mut self) -> Result<RandomPart> {
        self.open()?;
        let start = self.position();
        let effects = self.sum()?;
        let correlation = match self.kind() {
            Kind::Symbol("|") => Correlation::Free,
            Kind::Symbol("||") => Correlation::Zero,
            _ => return Err(self.unexpected("`|` or `||` before the grouping factor")),
        };
        self.at += 1;

        let mut group = vec![self.combined_columns()?];
        while self.take("/") {
            group.push(self.combined_columns()?);
        }
        self.close()?;
        Ok(RandomPart { effects: self.predictor(effects, start)?, correlation, group })
    }

    /// `g:h`
    fn combined_columns(&mut self) -> Result<Vec<String>> {
        let mut columns = vec![self.group_column()?];
        while self.take(":") {
            columns.push(self.group_column()?);
        }
        Ok(columns)
    }

    fn group_column(&mut self) -> Result<String> {
        match self.kind() {
            Kind::Name(name) if self.follows("(") => {
                let hint = "whole numbers are levels without it";
                Err(self.error(format!("expected a grouping column, got the function `{name}`; {hint}")))
            }
            _ => self.column("a grouping column"),
        }
    }

    fn predictor(&self, sum: Sum, start: usize) -> Result<Predictor> {
        let too_many = "expected fewer terms: these products combine too many";
        Predictor::new(sum).ok_or_else(|| FormulaError::new(self.formula, start, too_many))
    }

    /// Whether the parentheses that open here hold a `|` of their own.
    fn opens_random_part(&self) -> bool {
        let mut depth = 0_usize;
        for token in &self.tokens[self.at..] {
            match token.kind {
                Kind::Symbol("(") => depth += 1,
                Kind::Symbol(")") if depth > 1 => depth -= 1,
                Kind::Symbol("|" | "||") if depth == 1 => return true,
                _ if depth == 0 => return false,
                Kind::Symbol(")") => return false,
                _ => (),
            }
        }
        false
    }

    /// `(e)`, after the name of a function.
    fn argument(&mut self) -> Result<Expression> {
        self.open()?;
        let value = self.value()?;
        self.close()?;
        Ok(value)
    }

    fn expect_end_of_part(&self, part: &str) -> Result<()> {
        match self.kind() {
            Kind::Symbol("+" | "-") | Kind::End => Ok(()),
            _ => Err(self.unexpected(&format!("`+`, `-` or the end of the formula after {part}"))),
        }
    }

    fn refuse_minus(&self, sign: Sign, position: usize, part: &str) -> Result<()> {
        match sign {
            Sign::Plus => Ok(()),
            Sign::Minus => {
                let message = format!("expected `+` before {part}, got `-`; leave it out instead");
                Err(FormulaError::new(self.formula, position, message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn fails(formula: &str) -> (usize, String) {
        let error = parse(formula).unwrap_err();
        (error.position, error.message)
    }

    #[test]
    fn errors_point_at_the_character() {
        let cases = [
            ("", 0, "expected a column"),
            ("~ x", 0, "expected a response, got `~`"),
            ("y", 1, "expected `~` after the response, got the end"),
            ("y ~ ", 4, "got the end of the formula"),
            ("y ~ x +", 7, "got the end of the formula"),
            ("y ~ x z", 6, "expected `+`, `-` or the end of the formula, got `z`"),
            ("y ~ x ~ z", 6, "got `~`"),
            ("y ~ 1 | g", 6, "write random terms as `(1 | g)`"),
            ("y ~ x:(1 | g)", 9, "got `|`"),
            ("y ~ ((1 | g))", 8, "got `|`"),
            ("y ~ (1 | g) : x", 12, "after a random term, got `:`"),
            ("y ~ x - (1 | g)", 8, "expected `+` before a random term"),
            ("y ~ x + (| g)", 9, "got `|`"),
            ("y ~ (1 | )", 9, "expected a grouping column, got `)`"),
            ("y ~ (1 | factor(g))", 9, "got the function `factor`"),
            ("y ~ (1 | g:)", 11, "expected a grouping column, got `)`"),
            ("y ~ (1 | g + h)", 11, "expected `)`, got `+`"),
            ("y ~ (1 | g", 10, "expected `)`, got the end"),
            ("y ~ x + 2", 8, "expected 0 or 1 in place of a column, got `2`"),
            ("y ~ 1:x", 5, "stands alone"),
            ("y ~ x:1", 6, "expected a column, a function or `(`, got `1`"),
            ("y ~ z * (x - 1)", 8, "expected effects without 0 or 1"),
            ("y ~ x^2", 4, "write `I(x^2)`"),
            ("y ~ (a + b)^x", 12, "expected a whole exponent"),
            ("y ~ (a + b)^0", 12, "expected a whole exponent"),
            ("y ~ sin(x)", 4, "unknown function `sin`"),
            ("y ~ log(x", 9, "expected `)`"),
            ("y ~ log(x | g)", 10, "got `|`"),
            ("y ~ factor(x + 1)", 13, "expected `)`, got `+`"),
            ("y ~ x:offset(z)", 6, "an offset stands alone"),
            ("y ~ cbind(a, b)", 4, "`cbind` stands before `~`"),
            ("cbind(a) ~ x", 7, "expected `,`"),
            ("y ~ x + y", 8, "the response"),
            ("log(y) ~ log(y)", 9, "the response"),
            ("y ~ .", 4, "write out the columns"),
            ("y ~ x %in% z", 6, "got `%`"),
        ];
        for (formula, position, part) in cases {
            let (at, message) = fails(formula);
            assert!(at == position && message.contains(part), "{formula}: {message} at {at}");
        }
    }

    #[test]
    fn the_caret_stands_under_the_character() {
        let message = parse("größe ~ x\n+ 2").unwrap_err().to_string();
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(lines[1..], ["  größe ~ x + 2", "              ^"]);
        assert!(lines[0].starts_with("character 13 of the formula: expected 0 or 1"), "{message}");
    }

    #[test]
    fn what_looks_alike_is_read_alike() {
        let same = [
            ("y~x+(1+x|g)", " y  ~ +x + ( 1 + x | g ) "),
            ("y ~ (x) + ((z))", "y ~ x + z"),
            ("y ~ `x` + (1 | `g`)", "y ~ x + (1 | g)"),
        ];
        for (left, right) in same {
            assert_eq!(parse(left).unwrap(), parse(right).unwrap());
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_an_overflow() {
        let nested = |n: usize| format!("y ~ {}x{}", "(".repeat(n), ")".repeat(n));
        assert!(parse(&nested(MAX_NESTED)).is_ok());
        assert!(fails(&nested(100_000)).1.contains("parentheses"));
        assert!(fails(&format!("y ~ I({}x)", "-".repeat(100_000))).1.contains("operators"));
        assert!(fails(&format!("y ~ I(x{})", "^x".repeat(100_000))).1.contains("operators"));
        assert!(fails(&format!("y ~ x{}", ":x".repeat(100_000))).1.contains("operators"));
    }
}
