//! Decides what an operand is: literals, names, calls, and the ways into a value behind them.

use super::super::builtin::{Argument, Builtin};
use super::super::lexer::{Token, refused};
use super::super::syntax::{Node, Pointer, Step, Unary};
use super::super::value::Value;
use super::{ExpressionError, Parser};

impl Parser<'_> {
    pub(super) fn operand(&mut self) -> Result<Node, ExpressionError> {
        let unary = match self.peek() {
            Token::Sign("not" | "!") => Some((Unary::Not, 50)),
            Token::Sign("-") => Some((Unary::Minus, 90)),
            Token::Sign("+") => Some((Unary::Plus, 90)),
            _ => None,
        };
        if let Some((unary, precedence)) = unary {
            self.next += 1;
            let operand = self.nested(|parser| parser.operation(precedence))?;
            return Ok(Node::Unary(unary, Box::new(operand)));
        }
        let primary = self.primary()?;
        self.steps(primary)
    }

    fn primary(&mut self) -> Result<Node, ExpressionError> {
        let place = self.place();
        match self.advance() {
            Token::Int(number) => Ok(Node::Value(Value::Int(number))),
            Token::Float(number) => Ok(Node::Value(Value::Float(number))),
            Token::Text(text) => Ok(Node::Value(Value::text(text))),
            Token::Sign("(") => {
                let inner = self.sequence()?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Sign("[") => self.elements("]").map(Node::List),
            Token::Sign("{") => self.map(),
            Token::Sign("#") if self.predicates > 0 => self.pointer(),
            // `.name` in a predicate is `#.name`.
            Token::Sign(".") if self.predicates > 0 => {
                self.next -= 1;
                Ok(Node::Pointer(Pointer::Element))
            }
            Token::Name(name) => self.named(&name, place),
            other => {
                self.next -= 1;
                Err(self.unexpected(&other))
            }
        }
    }

    fn named(&mut self, name: &str, place: usize) -> Result<Node, ExpressionError> {
        match name {
            "true" => Ok(Node::Value(Value::Bool(true))),
            "false" => Ok(Node::Value(Value::Bool(false))),
            "nil" => Ok(Node::Value(Value::Nil)),
            "$env" => Err(refused(self.source, place, "$env is not offered")),
            _ if self.takes("(") => self.call(name, place, None),
            _ => Ok(Node::Name(name.into())),
        }
    }

    fn pointer(&mut self) -> Result<Node, ExpressionError> {
        let Token::Name(name) = self.peek() else {
            return Ok(Node::Pointer(Pointer::Element));
        };
        let pointer = match name.as_str() {
            "index" => Pointer::Index,
            "acc" => Pointer::Accumulated,
            other => return Err(self.refused(format!("there is no #{other}"))),
        };
        self.next += 1;
        Ok(Node::Pointer(pointer))
    }

    /// Expressions up to a closing sign; a comma may stand behind the last one.
    fn elements(&mut self, closing: &str) -> Result<Vec<Node>, ExpressionError> {
        let mut elements = Vec::new();
        while !self.takes(closing) {
            elements.push(self.expression()?);
            if !self.takes(",") {
                self.expect(closing)?;
                break;
            }
        }
        Ok(elements)
    }

    fn map(&mut self) -> Result<Node, ExpressionError> {
        let mut entries = Vec::new();
        while !self.takes("}") {
            let key = match self.advance() {
                Token::Name(name) => Node::Value(Value::text(name)),
                Token::Text(text) => Node::Value(Value::text(text)),
                Token::Int(number) => Node::Value(Value::text(number.to_string())),
                Token::Sign("(") => {
                    let key = self.expression()?;
                    self.expect(")")?;
                    key
                }
                other => {
                    self.next -= 1;
                    return Err(self.unexpected(&other));
                }
            };
            self.expect(":")?;
            entries.push((key, self.expression()?));
            if !self.takes(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(Node::Map(entries))
    }

    /// A call whose opening parenthesis is read already.
    pub(super) fn call(&mut self, name: &str, place: usize, first: Option<Node>) -> Result<Node, ExpressionError> {
        let Some(builtin) = Builtin::named(name) else {
            let mut arguments: Vec<Node> = first.into_iter().collect();
            arguments.extend(self.elements(")")?);
            let function = Node::Name(name.into());
            return Ok(Node::Path(Box::new(function), vec![Step::Call(arguments)]));
        };
        let mut arguments: Vec<Node> = first.into_iter().collect();
        while !self.takes(")") {
            let argument = match builtin.argument(arguments.len()) {
                Argument::Value => self.expression()?,
                Argument::Predicate => self.predicate()?,
            };
            arguments.push(argument);
            if !self.takes(",") {
                self.expect(")")?;
                break;
            }
        }
        builtin
            .accepts(arguments.len())
            .map_err(|problem| refused(self.source, place, problem))?;
        Ok(Node::Call(builtin, arguments))
    }

    /// What is asked of each element, in braces or not.
    fn predicate(&mut self) -> Result<Node, ExpressionError> {
        self.predicates += 1;
        let inner = if self.is_at("{") {
            self.block()
        } else {
            self.expression()
        };
        self.predicates -= 1;
        inner
    }

    /// The ways into a value that stand behind it.
    pub(super) fn steps(&mut self, base: Node) -> Result<Node, ExpressionError> {
        let mut steps = Vec::new();
        loop {
            let step = if self.takes(".") {
                Step::At(self.member()?)
            } else if self.takes("?.") {
                let inner = if self.takes("[") { self.index()? } else { self.member()? };
                Step::AtIfAny(inner)
            } else if self.takes("[") {
                self.bracket()?
            } else if !steps.is_empty() && self.takes("(") {
                Step::Call(self.elements(")")?)
            } else {
                break;
            };
            steps.push(step);
        }
        Ok(if steps.is_empty() {
            base
        } else {
            Node::Path(Box::new(base), steps)
        })
    }

    /// A name behind a dot; words of the language are names there.
    fn member(&mut self) -> Result<Node, ExpressionError> {
        match self.advance() {
            Token::Name(name) => Ok(Node::Value(Value::text(name))),
            Token::Sign(word) if word.starts_with(char::is_alphabetic) => Ok(Node::Value(Value::text(word))),
            other => {
                self.next -= 1;
                Err(self.unexpected(&other))
            }
        }
    }

    fn index(&mut self) -> Result<Node, ExpressionError> {
        let index = self.expression()?;
        self.expect("]")?;
        Ok(index)
    }

    /// `[index]`, `[from:to]`, with either left out.
    fn bracket(&mut self) -> Result<Step, ExpressionError> {
        let from = if self.is_at(":") {
            None
        } else {
            let first = self.expression()?;
            if self.takes("]") {
                return Ok(Step::At(first));
            }
            Some(first)
        };
        self.expect(":")?;
        let to = if self.is_at("]") {
            None
        } else {
            Some(self.expression()?)
        };
        self.expect("]")?;
        Ok(Step::Slice(from, to))
    }
}
