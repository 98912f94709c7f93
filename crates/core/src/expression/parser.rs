//! Decides how the words of a source belong together, as Expr's own parser does; it must not know what anything evaluates to.

mod operand;

use std::sync::Arc;

use super::builtin::Builtin;
use super::lexer::{Placed, Token, refused, tokens};
use super::operator::PATTERN_BYTES;
use super::syntax::{Infix, Node};
use super::value::Value;
use super::{ExpressionError, MAX_NESTING};
use crate::go::regexp::Regexp;

/// The tree of a source.
pub(super) fn parse(source: &str) -> Result<Node, ExpressionError> {
    let mut parser = Parser {
        source,
        tokens: tokens(source)?,
        next: 0,
        nesting: 0,
        predicates: 0,
    };
    let root = parser.sequence()?;
    match parser.peek() {
        Token::End => Ok(root),
        other => Err(parser.unexpected(&other.clone())),
    }
}

struct Parser<'a> {
    source: &'a str,
    tokens: Vec<Placed>,
    next: usize,
    nesting: usize,
    /// How many predicates what is read belongs to.
    predicates: usize,
}

/// How operators bind: their precedence as Expr has it, and whether they go from right to left.
fn binding(sign: &str) -> Option<(u8, Infix)> {
    Some(match sign {
        "or" | "||" => (10, Infix::Or),
        "and" | "&&" => (15, Infix::And),
        "==" => (20, Infix::Equal),
        "!=" => (20, Infix::NotEqual),
        "<" => (20, Infix::Less),
        "<=" => (20, Infix::LessOrEqual),
        ">" => (20, Infix::Greater),
        ">=" => (20, Infix::GreaterOrEqual),
        "in" => (20, Infix::In),
        "matches" => (20, Infix::Matches(None)),
        "contains" => (20, Infix::Contains),
        "startsWith" => (20, Infix::StartsWith),
        "endsWith" => (20, Infix::EndsWith),
        ".." => (25, Infix::Range),
        "+" => (30, Infix::Add),
        "-" => (30, Infix::Subtract),
        "*" => (60, Infix::Multiply),
        "/" => (60, Infix::Divide),
        "%" => (60, Infix::Remainder),
        "**" | "^" => (100, Infix::Power),
        "??" => (200, Infix::Coalesce),
        _ => return None,
    })
}

/// Whether `not` may stand in front of an operator.
fn can_be_negated(sign: &str) -> bool {
    matches!(sign, "in" | "matches" | "contains" | "startsWith" | "endsWith")
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |(token, _)| token)
    }

    fn peek_second(&self) -> &Token {
        self.tokens.get(self.next + 1).map_or(&Token::End, |(token, _)| token)
    }

    fn place(&self) -> usize {
        self.tokens
            .get(self.next)
            .map_or(self.source.len(), |(_, place)| *place)
    }

    fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn is_at(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(found) if *found == sign)
    }

    /// Goes behind a sign, if it is there.
    fn takes(&mut self, sign: &str) -> bool {
        let there = self.is_at(sign);
        self.next += usize::from(there);
        there
    }

    fn expect(&mut self, sign: &str) -> Result<(), ExpressionError> {
        if self.takes(sign) {
            return Ok(());
        }
        Err(self.refused(format!("{sign:?} is expected here")))
    }

    fn refused(&self, problem: impl Into<String>) -> ExpressionError {
        refused(self.source, self.place(), problem)
    }

    fn unexpected(&self, token: &Token) -> ExpressionError {
        let what = match token {
            Token::End => "the expression ends too early".to_owned(),
            Token::Sign(sign) => format!("{sign:?} is not expected here"),
            Token::Name(name) => format!("the name {name:?} is not expected here"),
            Token::Int(_) | Token::Float(_) => "a number is not expected here".to_owned(),
            Token::Text(_) => "a string is not expected here".to_owned(),
        };
        self.refused(what)
    }

    /// Reads something within something: all recursion goes through here.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, ExpressionError>) -> Result<T, ExpressionError> {
        if self.nesting >= MAX_NESTING {
            return Err(self.refused(format!("the expression nests more than {MAX_NESTING} deep")));
        }
        self.nesting += 1;
        let result = read(self);
        self.nesting -= 1;
        result
    }

    /// `let name = …; let other = …; …`, or just an expression.
    fn sequence(&mut self) -> Result<Node, ExpressionError> {
        let mut names: Vec<(Arc<str>, Node)> = Vec::new();
        while self.takes("let") {
            let name = match self.advance() {
                Token::Name(name) => name,
                other => return Err(self.unexpected(&other)),
            };
            if Builtin::named(&name).is_some() || names.iter().any(|(known, _)| **known == *name) {
                return Err(self.refused(format!("{name} is already the name of something else")));
            }
            self.expect("=")?;
            let value = self.expression()?;
            self.expect(";")?;
            names.push((name.into(), value));
        }
        let body = self.expression()?;
        Ok(if names.is_empty() {
            body
        } else {
            Node::Let(names, Box::new(body))
        })
    }

    fn expression(&mut self) -> Result<Node, ExpressionError> {
        self.nested(|parser| {
            if parser.is_at("let") {
                return parser.sequence();
            }
            if parser.is_at("if") {
                return parser.conditional();
            }
            let first = parser.operation(0)?;
            parser.ternary(first)
        })
    }

    /// `condition ? one : other`, and `value ?: other`.
    fn ternary(&mut self, condition: Node) -> Result<Node, ExpressionError> {
        if !self.takes("?") {
            return Ok(condition);
        }
        let (consequent, alternative) = if self.takes(":") {
            // The condition has to be true to be its own consequent.
            (Node::Value(Value::Bool(true)), self.expression()?)
        } else {
            let consequent = self.expression()?;
            self.expect(":")?;
            (consequent, self.expression()?)
        };
        Ok(Node::Conditional(Box::new([condition, consequent, alternative])))
    }

    /// `if condition { … } else { … }`, or `else if`.
    fn conditional(&mut self) -> Result<Node, ExpressionError> {
        self.expect("if")?;
        let condition = self.expression()?;
        let consequent = self.block()?;
        self.expect("else")?;
        let alternative = if self.is_at("if") {
            self.expression()?
        } else {
            self.block()?
        };
        Ok(Node::Conditional(Box::new([condition, consequent, alternative])))
    }

    fn block(&mut self) -> Result<Node, ExpressionError> {
        self.expect("{")?;
        let inner = self.sequence()?;
        self.expect("}")?;
        Ok(inner)
    }

    /// Operands and operators that bind at least as tightly as `least`.
    fn operation(&mut self, least: u8) -> Result<Node, ExpressionError> {
        let mut left = self.operand()?;
        let mut coalesces = None;
        while let Token::Sign(sign) = *self.peek() {
            if sign == "|" && least == 0 {
                self.next += 1;
                left = self.piped(left)?;
                continue;
            }
            let negated = sign == "not";
            let sign = match self.peek_second() {
                Token::Sign(second) if negated && can_be_negated(second) => *second,
                _ => sign,
            };
            let Some((precedence, infix)) = binding(sign).filter(|(precedence, _)| *precedence >= least) else {
                break;
            };
            // Expr does not let these be mixed without parentheses, since nobody agrees on what that would mean.
            let coalesce = matches!(infix, Infix::Coalesce);
            if coalesces == Some(true) && !coalesce {
                return Err(self.refused("?? and other operators need parentheses"));
            }
            coalesces = Some(coalesce);
            self.next += 1 + usize::from(negated);
            let from_right = matches!(infix, Infix::Power);
            let right = self.nested(|parser| parser.operation(precedence + u8::from(!from_right)))?;
            let infix = self.completed(infix, &right)?;
            let infix = if negated {
                Infix::Negated(Box::new(infix))
            } else {
                infix
            };
            left = chained(left, infix, right);
        }
        Ok(left)
    }

    /// The operator with what can be prepared of it.
    fn completed(&self, infix: Infix, right: &Node) -> Result<Infix, ExpressionError> {
        match (infix, right) {
            (Infix::Matches(_), Node::Value(Value::Text(pattern))) => {
                let pattern = Regexp::compile_within(pattern, PATTERN_BYTES);
                let pattern = pattern.map_err(|error| self.refused(error.to_string()))?;
                Ok(Infix::Matches(Some(Arc::new(pattern))))
            }
            (infix, _) => Ok(infix),
        }
    }

    /// What stands behind `|`: a function, which gets what is before it as its first argument.
    fn piped(&mut self, first: Node) -> Result<Node, ExpressionError> {
        let place = self.place();
        match self.advance() {
            Token::Name(name) => {
                self.expect("(")?;
                let call = self.call(&name, place, Some(first))?;
                self.steps(call)
            }
            other => {
                self.next -= 1;
                Err(self.unexpected(&other))
            }
        }
    }
}

/// One more operator behind a chain. What stands to the left is complete, so it is evaluated first whatever binds how.
fn chained(left: Node, infix: Infix, right: Node) -> Node {
    match left {
        Node::Chain(first, mut rest) => {
            rest.push((infix, right));
            Node::Chain(first, rest)
        }
        first => Node::Chain(Box::new(first), vec![(infix, right)]),
    }
}
