//! The dialects of Lua that hotsave reloads, and how their compilers speak.

use std::{fmt, str::FromStr};

use emmylua_parser::{LexerConfig, LuaFeaturesSet, LuaLanguageLevel, ParserConfig};

/// A dialect; one per workspace folder, because the modules of a program share one VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// PUC Lua 5.1.
    Lua51,
    /// LuaJIT 2.1.
    LuaJit,
    /// PUC Lua 5.2.
    Lua52,
    /// PUC Lua 5.3.
    Lua53,
    /// PUC Lua 5.4.
    Lua54,
}

impl Dialect {
    /// All of them, the one to prefer first: the newest, `LuaJIT` before the 5.1 that it contains.
    pub const ALL: [Self; 5] = [
        Self::Lua54,
        Self::Lua53,
        Self::Lua52,
        Self::LuaJit,
        Self::Lua51,
    ];

    /// Its name in `hotsave.toml`: `5.1`, `luajit`, `5.2`, `5.3` or `5.4`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lua51 => "5.1",
            Self::LuaJit => "luajit",
            Self::Lua52 => "5.2",
            Self::Lua53 => "5.3",
            Self::Lua54 => "5.4",
        }
    }

    /// Its name in a sentence: `Lua 5.4`, `LuaJIT`.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Lua51 => "Lua 5.1",
            Self::LuaJit => "LuaJIT",
            Self::Lua52 => "Lua 5.2",
            Self::Lua53 => "Lua 5.3",
            Self::Lua54 => "Lua 5.4",
        }
    }

    /// Whether its compiler is 5.1's or `LuaJIT`'s, which put `'<eof>'` and `'<name>'` in quotes.
    pub(crate) const fn is_old(self) -> bool {
        matches!(self, Self::Lua51 | Self::LuaJit)
    }

    /// Documentation comments are not parsed: they cannot be wrong Lua.
    pub(crate) fn parser_config(self) -> ParserConfig<'static> {
        let level = self.level();
        ParserConfig::new(
            level,
            None,
            std::collections::HashMap::new(),
            LuaFeaturesSet::default(),
            false,
        )
    }

    pub(crate) fn lexer_config(self) -> LexerConfig {
        LexerConfig::new(self.level())
    }

    /// NB: the parser's `LuaJIT` level is a dialect with `+=` and ternaries; `LuaJIT2` is what the real one accepts.
    const fn level(self) -> LuaLanguageLevel {
        match self {
            Self::Lua51 => LuaLanguageLevel::Lua51,
            Self::LuaJit => LuaLanguageLevel::LuaJIT2,
            Self::Lua52 => LuaLanguageLevel::Lua52,
            Self::Lua53 => LuaLanguageLevel::Lua53,
            Self::Lua54 => LuaLanguageLevel::Lua54,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dialect {
    type Err = ();

    /// Reads [`Self::name`]; the error says nothing because the caller knows the key that holds it.
    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|it| it.name() == name).ok_or(())
    }
}
