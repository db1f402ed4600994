//! Arithmetic, with R's precedence: a sign binds more tightly than `*` and less than `^`.
//!
//! ```text
//! value   = product (("+" | "-") product)*
//! product = signed (("*" | "/") signed)*
//! signed  = ("+" | "-") signed | power
//! power   = atom ("^" signed)?
//! atom    = number | column | function "(" value ")" | "(" value ")"
//! ```

use super::super::Expression;
use super::super::expression::{Function, Operator};
use super::super::lexer::Kind;
use super::{Parser, Result};

impl Parser<'_> {
    pub(super) fn value(&mut self) -> Result<Expression> {
        let mut left = self.value_product()?;
        loop {
            let operator = match self.kind() {
                Kind::Symbol("+") => Operator::Add,
                Kind::Symbol("-") => Operator::Subtract,
                _ => return Ok(left),
            };
            self.operator()?;
            left = binary(operator, left, self.value_product()?);
        }
    }

    fn value_product(&mut self) -> Result<Expression> {
        let mut left = self.signed()?;
        loop {
            let operator = match self.kind() {
                Kind::Symbol("*") => Operator::Multiply,
                Kind::Symbol("/") => Operator::Divide,
                _ => return Ok(left),
            };
            self.operator()?;
            left = binary(operator, left, self.signed()?);
        }
    }

    fn signed(&mut self) -> Result<Expression> {
        match self.kind() {
            Kind::Symbol("-") => {
                self.operator()?;
                Ok(Expression::Negate(Box::new(self.signed()?)))
            }
            Kind::Symbol("+") => {
                self.operator()?;
                self.signed()
            }
            _ => self.value_power(),
        }
    }

    fn value_power(&mut self) -> Result<Expression> {
        let base = self.value_atom()?;
        if *self.kind() != Kind::Symbol("^") {
            return Ok(base);
        }
        self.operator()?;
        Ok(binary(Operator::Power, base, self.signed()?))
    }

    fn value_atom(&mut self) -> Result<Expression> {
        match self.kind().clone() {
            Kind::Number(value) => {
                self.at += 1;
                Ok(Expression::Number(value))
            }
            Kind::Symbol("(") => self.argument(),
            Kind::Name(name) if self.follows("(") => {
                let function = Function::find(&name).ok_or_else(|| self.unknown_function(&name, &[]))?;
                self.at += 1;
                Ok(Expression::Call(function, Box::new(self.argument()?)))
            }
            _ => self.column("a column, a number, a function or `(`").map(Expression::Column),
        }
    }
}

fn binary(operator: Operator, left: Expression, right: Expression) -> Expression {
    Expression::Binary(operator, Box::new(left), Box::new(right))
}
