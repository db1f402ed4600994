//! Sums and products of effects.
//!
//! ```text
//! product     = interaction (("*" | "/") interaction)*
//! interaction = power (":" power)*
//! power       = atom ("^" whole)?
//! atom        = column | function "(" .. ")" | "(" sum ")"
//! ```

use super::super::display::quoted;
use super::super::expression::Function;
use super::super::lexer::Kind;
use super::super::{Effect, Expression, ResponsePart, Sign, Sum, Summand, Variable};
use super::{EFFECT, Parser, Result};
use crate::FormulaError;

impl Parser<'_> {
    pub(super) fn sum(&mut self) -> Result<Sum> {
        let mut sign = self.leading_sign();
        let mut sum = Sum::new();
        loop {
            sum.push(Summand { sign, effect: self.summand()? });
            match self.sign() {
                Some(next) => sign = next,
                None => return Ok(sum),
            }
        }
    }

    pub(super) fn summand(&mut self) -> Result<Effect> {
        let effect = match *self.kind() {
            Kind::Number(1.0) => Effect::Intercept,
            Kind::Number(0.0) => Effect::NoIntercept,
            Kind::Number(_) => return Err(self.unexpected("0 or 1 in place of a column")),
            _ => return self.product(),
        };
        self.at += 1;
        match self.kind() {
            Kind::Symbol("*" | "/" | ":" | "^") => {
                Err(self.unexpected("`+` or `-`: 0 or 1 says whether there is an intercept and stands alone"))
            }
            _ => Ok(effect),
        }
    }

    fn product(&mut self) -> Result<Effect> {
        let start = self.position();
        let mut left = self.interaction()?;
        loop {
            let join = match self.kind() {
                Kind::Symbol("*") => Effect::Cross,
                Kind::Symbol("/") => Effect::Nest,
                _ => return Ok(left),
            };
            left = self.join(left, start, join, Self::interaction)?;
        }
    }

    fn interaction(&mut self) -> Result<Effect> {
        let start = self.position();
        let mut left = self.power()?;
        while *self.kind() == Kind::Symbol(":") {
            left = self.join(left, start, Effect::Interaction, Self::power)?;
        }
        Ok(left)
    }

    fn join(
        &mut self,
        left: Effect,
        start: usize,
        join: fn(Box<Effect>, Box<Effect>) -> Effect,
        operand: fn(&mut Self) -> Result<Effect>,
    ) -> Result<Effect> {
        self.refuse_intercept(&left, start)?;
        self.operator()?;
        let start = self.position();
        let right = operand(self)?;
        self.refuse_intercept(&right, start)?;
        Ok(join(Box::new(left), Box::new(right)))
    }

    fn power(&mut self) -> Result<Effect> {
        let start = self.position();
        let base = self.atom()?;
        if *self.kind() != Kind::Symbol("^") {
            return Ok(base);
        }
        if let Effect::Variable(variable) = &base {
            let message =
                format!("expected a sum in parentheses before `^`, got `{variable}`; write `I(x^2)` for a square");
            return Err(FormulaError::new(self.formula, start, message));
        }
        self.refuse_intercept(&base, start)?;
        self.operator()?;
        let exponent = match *self.kind() {
            Kind::Number(value) if value.fract() == 0.0 && (1.0..=1000.0).contains(&value) => value as u32,
            _ => return Err(self.unexpected("a whole exponent from 1 to 1000")),
        };
        self.at += 1;
        Ok(Effect::Power(Box::new(base), exponent))
    }

    fn atom(&mut self) -> Result<Effect> {
        let start = self.position();
        match self.kind().clone() {
            Kind::Symbol("(") => {
                self.open()?;
                let mut sum = self.sum()?;
                self.close()?;
                match sum.as_slice() {
                    [Summand { sign: Sign::Plus, .. }] => Ok(sum.remove(0).effect),
                    _ => Ok(Effect::Sum(sum)),
                }
            }
            Kind::Name(name) if self.follows("(") => self.function(&name, start),
            Kind::Name(_) | Kind::Quoted(_) => {
                let column = self.column("a column")?;
                self.variable(Variable::Column(column), start)
            }
            Kind::Number(_) => Err(self.unexpected("a column, a function or `(`")),
            _ => Err(self.unexpected(EFFECT)),
        }
    }

    fn function(&mut self, name: &str, start: usize) -> Result<Effect> {
        if let Some(function) = Function::find(name) {
            self.at += 1;
            let call = Expression::Call(function, Box::new(self.argument()?));
            return self.variable(Variable::Computed(call), start);
        }
        match name {
            "factor" => {
                self.at += 1;
                self.open()?;
                let column = self.column("a column")?;
                self.close()?;
                self.variable(Variable::Factor(column), start)
            }
            "offset" => Err(self.error("expected an effect: an offset stands alone in the sum, got `offset`".into())),
            "cbind" => Err(self.error("expected an effect: `cbind` stands before `~`, got `cbind`".into())),
            _ => Err(self.unknown_function(name, &["factor", "offset"])),
        }
    }

    fn variable(&self, variable: Variable, start: usize) -> Result<Effect> {
        let is_response = match (&self.response, &variable) {
            (Some(ResponsePart::Single(Expression::Column(response))), Variable::Column(name)) => response == name,
            (Some(ResponsePart::Single(response)), Variable::Computed(expression)) => response == expression,
            _ => false,
        };
        if is_response {
            let message = format!("expected a predictor, got `{variable}`, the response");
            return Err(FormulaError::new(self.formula, start, message));
        }
        Ok(Effect::Variable(variable))
    }

    /// R lets `(x - 1):z` remove the intercept of the whole formula, which nobody means.
    fn refuse_intercept(&self, operand: &Effect, start: usize) -> Result<()> {
        match operand.names_intercept() {
            false => Ok(()),
            true => {
                let message = "expected effects without 0 or 1 in a product, got an intercept";
                Err(FormulaError::new(self.formula, start, message))
            }
        }
    }

    pub(super) fn unknown_function(&self, name: &str, also: &[&str]) -> FormulaError {
        let known: Vec<&str> =
            Function::ALL.iter().map(|function| function.name()).chain(also.iter().copied()).collect();
        self.error(format!("unknown function `{}`; known are {}", quoted(name), known.join(", ")))
    }
}

impl Effect {
    fn names_intercept(&self) -> bool {
        match self {
            Self::Intercept | Self::NoIntercept => true,
            Self::Sum(sum) => sum.iter().any(|summand| summand.effect.names_intercept()),
            // Products have been checked where they were built.
            _ => false,
        }
    }
}
