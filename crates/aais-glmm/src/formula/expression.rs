//! Arithmetic of columns, row by row: `log(x)`, `size - incidence`.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// A number for each row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    /// Not negative: a sign is a `Negate`.
    Number(f64),
    Column(String),
    Negate(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    Call(Function, Box<Expression>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    /// `I`, which only marks arithmetic among the terms of a formula.
    Identity,
    Abs,
    Exp,
    ExpM1,
    Log,
    Log10,
    Log1P,
    Log2,
    Sqrt,
}

impl Expression {
    /// The value in each of `n_rows` rows; `column` finds a column by its name.
    pub(crate) fn evaluate<'a, E>(
        &'a self,
        n_rows: usize,
        column: &impl Fn(&'a str) -> Result<Cow<'a, [f64]>, E>,
    ) -> Result<Cow<'a, [f64]>, E> {
        let each = |operand: &'a Self, function: &dyn Fn(f64) -> f64| {
            let mut values = operand.evaluate(n_rows, column)?.into_owned();
            values.iter_mut().for_each(|value| *value = function(*value));
            Ok(values.into())
        };
        match self {
            Self::Number(value) => Ok(vec![*value; n_rows].into()),
            Self::Column(name) => column(name),
            Self::Negate(operand) => each(operand, &|value| -value),
            Self::Call(function, operand) => each(operand, &|value| function.apply(value)),
            Self::Binary(operator, left, right) => {
                let mut values = left.evaluate(n_rows, column)?.into_owned();
                let right = right.evaluate(n_rows, column)?;
                values.iter_mut().zip(right.iter()).for_each(|(left, right)| *left = operator.apply(*left, *right));
                Ok(values.into())
            }
        }
    }

    pub(super) fn add_columns<'a>(&'a self, names: &mut BTreeSet<&'a str>) {
        match self {
            Self::Number(_) => (),
            Self::Column(name) => {
                names.insert(name);
            }
            Self::Negate(operand) | Self::Call(_, operand) => operand.add_columns(names),
            Self::Binary(_, left, right) => {
                left.add_columns(names);
                right.add_columns(names);
            }
        }
    }
}

impl Operator {
    fn apply(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Power => left.powf(right),
        }
    }
}

impl Function {
    /// In the order of the alphabet.
    pub(super) const ALL: [Self; 9] = [
        Self::Identity,
        Self::Abs,
        Self::Exp,
        Self::ExpM1,
        Self::Log,
        Self::Log10,
        Self::Log1P,
        Self::Log2,
        Self::Sqrt,
    ];

    pub(super) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Identity => "I",
            Self::Abs => "abs",
            Self::Exp => "exp",
            Self::ExpM1 => "expm1",
            Self::Log => "log",
            Self::Log10 => "log10",
            Self::Log1P => "log1p",
            Self::Log2 => "log2",
            Self::Sqrt => "sqrt",
        }
    }

    fn apply(self, value: f64) -> f64 {
        match self {
            Self::Identity => value,
            Self::Abs => value.abs(),
            Self::Exp => value.exp(),
            Self::ExpM1 => value.exp_m1(),
            Self::Log => value.ln(),
            Self::Log10 => value.log10(),
            Self::Log1P => value.ln_1p(),
            Self::Log2 => value.log2(),
            Self::Sqrt => value.sqrt(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::{Formula, ResponsePart};
    use super::*;

    /// The value of an expression of `x = 4`.
    fn value(text: &str) -> f64 {
        let ResponsePart::Single(expression) = Formula::parse(&format!("{text} ~ 1")).unwrap().response else {
            panic!("{text} is one expression");
        };
        let x = |_: &str| Ok::<_, ()>(Cow::from(vec![4.0]));
        expression.evaluate(1, &x).unwrap()[0]
    }

    #[test]
    fn operators_bind_as_in_r() {
        assert_eq!(value("1 + 2 * x"), 9.0);
        assert_eq!(value("x - 1 - 1"), 2.0);
        assert_eq!(value("x / 2 / 2"), 1.0);
        assert_eq!(value("-x^2"), -16.0);
        assert_eq!(value("2^-1 * x"), 2.0);
        assert_eq!(value("2^3^2"), 512.0);
        assert_eq!(value("(2^3)^2"), 64.0);
        assert_eq!(value("x * -(1 + .5e1)"), -24.0);
    }

    #[test]
    fn functions_are_the_inverses_of_each_other() {
        let same = ["I(x)", "sqrt(x^2)", "log(exp(x))", "log1p(expm1(x))", "log2(2^x)", "log10(10^x)", "abs(-x)"];
        for text in same {
            assert!((value(text) - 4.0).abs() < 1e-14, "{text}: {}", value(text)); // Rounding only.
        }
    }

    #[test]
    fn every_function_is_found_by_its_name() {
        assert!(Function::ALL.into_iter().all(|function| Function::find(function.name()) == Some(function)));
        assert_eq!(Function::find("sin"), None);
    }
}
