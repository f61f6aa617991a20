//! Tests of the wire: the example exchange of the specification, leniency, limits.

use std::fmt;

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// The example of the Lua specification, 2.8; `R` lines come from the host, `S` lines from the server.
const EXAMPLE: &str = r#"
R {"t":"hello","protocol":1,"token":"9f3c…","kind":"app","name":"starfall","instance":"5f0c11d2a9b84e76","lua":"5.1","jit":"LuaJIT 2.1","host":"love 11.5","caps":["join","frames","safePoint","overlay"],"path":"?.lua;?/init.lua","lastTx":0}
S {"t":"welcome","protocol":1,"gen":16,"limits":{"deadlineMs":1000,"memoryMb":256,"sliceMs":2,"walkMs":8,"logPerS":200},"overlay":true,"policies":{}}
R {"t":"loaded","units":[{"name":"main","chunk":"@main.lua","sum":1187342209,"size":812,"base":true},{"name":"ai.patrol","chunk":"@ai/patrol.lua","sum":402771,"size":2310,"base":true}],"edges":[{"from":"main","to":"ai.patrol","kind":"load","file":"ai/patrol.lua","by":"love","missed":[]}]}
S {"t":"update","tx":1,"gen":17,"cause":"save","deadlineMs":1000,"journal":[],"capture":[],"units":[{"name":"ai.patrol","act":"replace","chunk":"@ai/patrol.lua","hash":"7be1…","scc":0,"text":"local M = {}\n…return M\n","fns":[{"id":"M.step","par":-1,"a":4,"z":11,"n":2,"u":["speed","M"],"at":[31,240],"h":"91aa…","leak":true}],"policy":{}},{"name":"ai.squad","act":"rerun","chunk":"@ai/squad.lua","hash":"20c4…","scc":1,"text":"…","fns":[],"policy":{},"when":{"ai.patrol":{"reads":["range"]}}}]}
R {"t":"begin","tx":1}
R {"t":"done","tx":1,"gen":17,"outcome":"applied","units":[{"name":"ai.patrol","act":"replace","ran":true,"kept":2,"taken":1,"conflicts":0,"redirected":3,"grafted":1,"stale":0,"ms":0.9},{"name":"ai.squad","act":"rerun","ran":false,"ms":0}],"problems":[],"notes":[{"unit":"ai.patrol","path":"~speed","rule":"take","base":"5","live":"5","source":"9"}],"old":[{"what":"coroutine","unit":"ai.patrol","line":31,"gen":16}],"edges":[],"sweep":"done","ms":{"compile":0.1,"journal":0,"run":0.2,"merge":0.1,"walk":2.8,"hooks":0,"total":3.3}}
R {"t":"fault","gen":17,"count":1,"fatal":false,"problem":{"code":"lua/runtime-error","severity":1,"stage":"program","unit":"ai.patrol","chunk":"@ai/patrol.lua","line":8,"message":"attempt to index local 'target' (a nil value)","frames":[{"chunk":"@ai/patrol.lua","line":8,"name":"step","gen":17},{"chunk":"@main.lua","line":40,"gen":16}]}}
"#;

/// `value` without the members that may be left out: null, false, 0, "", empty lists and objects.
fn without_defaults(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(key, it)| (key.clone(), without_defaults(it)))
                .filter(|(_, it)| {
                    let is_zero = it.as_f64() == Some(0.0);
                    !is_zero
                        && ![json!(null), json!(false), json!(""), json!([]), json!({})]
                            .contains(it)
                })
                .collect(),
        ),
        Value::Array(elements) => elements.iter().map(without_defaults).collect(),
        Value::Number(number) => json!(number.as_f64()),
        other => other.clone(),
    }
}

fn check_golden<T: DeserializeOwned + Serialize + PartialEq + fmt::Debug>(line: &str) -> T {
    let message: T = decode(line.as_bytes()).unwrap();
    let encoded = encode(&message).unwrap();
    assert_eq!(
        encoded.iter().filter(|&&it| it == b'\n').count(),
        1,
        "one line"
    );
    assert_eq!(
        decode::<T>(&encoded).unwrap(),
        message,
        "survives the way back"
    );
    let (before, after): (Value, Value) = (
        serde_json::from_str(line).unwrap(),
        serde_json::from_slice(&encoded).unwrap(),
    );
    assert_eq!(without_defaults(&after), without_defaults(&before));
    message
}

#[test]
fn the_example_of_the_specification_survives_both_ways() {
    let mut n_lines = 0;
    for line in EXAMPLE.lines().filter(|it| !it.is_empty()) {
        match line.split_once(' ').unwrap() {
            ("R", line) => assert_ne!(check_golden::<FromHost>(line), FromHost::Other),
            (_, line) => assert_ne!(check_golden::<ToHost>(line), ToHost::Other),
        }
        n_lines += 1;
    }
    assert_eq!(n_lines, 7);
}

#[test]
fn every_message_keeps_its_fields() {
    for line in [
        r#"{"t":"refuse","reason":"root","message":"other folder"}"#,
        r#"{"t":"update","tx":3,"gen":4,"cause":"watcher","journal":"all","capture":["a.x"],"deadlineMs":5,"dry":true,"units":[{"name":"b","act":"remove","text64":"/w==","policy":{"keep":["a"],"reset":["b"],"state":["c"],"delegates":["d"],"pinned":true,"trampoline":true,"hooks":{"disable":"d","unload":"u","load":"l","enable":"e"}},"when":{"x":{"whole":true,"calls":true}}}]}"#,
        r#"{"t":"cancel","tx":7}"#,
        r#"{"t":"policy","policies":{"a":{"pinned":true}},"limits":{"deadlineMs":1,"memoryMb":2,"sliceMs":3,"walkMs":4,"logPerS":5},"overlay":false}"#,
        r#"{"t":"state","failing":true,"message":"a.lua:3"}"#,
        r#"{"t":"answer","id":1,"gen":2,"outcome":"rolledBack","message":"m"}"#,
        r#"{"t":"query","id":1,"what":"state","of":"a"}"#,
        r#"{"t":"capture","id":2,"of":["a","b.c"]}"#,
        r#"{"t":"restore","tx":4,"gen":5,"content":{"v":1,"roots":{"a":{"t":0},"b":null},"tables":[{"a":[1,null],"h":[]}]}}"#,
        r#"{"t":"ping","n":4}"#,
        r#"{"t":"stop"}"#,
        r#"{"t":"bye","reason":"lineTooLong"}"#,
    ] {
        assert_ne!(check_golden::<ToHost>(line), ToHost::Other, "{line}");
    }
    for line in [
        r#"{"t":"begin","tx":1,"captured":{"v":1}}"#,
        r#"{"t":"done","tx":1,"gen":2,"outcome":"rolledBack","stage":"run","reason":"rebuilt","units":[{"name":"a","act":"load","accepts":["b"],"pinned":true,"ms":0.5}],"problems":[{"code":"lua/timeout","chunk":"@a.lua","line":2,"message":"m","value":"v"}],"holders":[{"unit":"a","fn":"f","where":"_G.x","count":2}],"dirty":{"v":1},"sweep":"running"}"#,
        r#"{"t":"swept","tx":1,"redirected":2,"stale":3,"frames":4,"ms":5.5}"#,
        r#"{"t":"register","name":"a","file":"a.lua","keep":["x"],"hooks":{"load":"l"}}"#,
        r#"{"t":"ask","id":1,"op":"reload","names":["a"]}"#,
        r#"{"t":"reply","id":1,"data":{"any":[1]}}"#,
        r#"{"t":"captured","id":1,"content":{"v":1},"bytes":9,"entries":2,"dropped":[{"path":"a.co","why":"thread"}]}"#,
        r#"{"t":"trace","edges":[{"from":"a","to":"b","kind":"late"},{"from":"a","to":"c","kind":"optional","missed":["c.lua"]},{"from":"a","to":"d.lua","kind":"file"}]}"#,
        r#"{"t":"log","level":"err","text":"x","dropped":3}"#,
        r#"{"t":"pong","n":4}"#,
        r#"{"t":"bye","reason":"stop"}"#,
    ] {
        assert_ne!(check_golden::<FromHost>(line), FromHost::Other, "{line}");
    }
}

#[test]
fn unknown_messages_and_fields_are_ignored() {
    assert_eq!(
        decode::<ToHost>(br#"{"t":"dance","step":{"a":1}}"#).unwrap(),
        ToHost::Other
    );
    assert_eq!(
        decode::<FromHost>(br#"{"t":"begin","tx":1,"mood":"good"}"#).unwrap(),
        FromHost::Begin(Begin {
            tx: 1,
            captured: None
        })
    );
    assert!(decode::<FromHost>(b"{}").is_err(), "a message has a t");
}

#[test]
fn null_is_absent_and_an_empty_lua_table_is_an_empty_list_or_object() {
    let bare = decode::<FromHost>(br#"{"t":"done","tx":1,"gen":2,"outcome":"applied"}"#).unwrap();
    for line in [
        r#"{"t":"done","tx":1,"gen":2,"outcome":"applied","units":null,"problems":null,"dirty":null,"sweep":null,"ms":null}"#,
        r#"{"t":"done","tx":1,"gen":2,"outcome":"applied","units":{},"problems":{},"edges":{},"ms":[]}"#,
        r#"{"t":"done","tx":1,"gen":2,"outcome":"applied","ms":{"run":null}}"#,
    ] {
        assert_eq!(decode::<FromHost>(line.as_bytes()).unwrap(), bare, "{line}");
    }
    assert!(
        decode::<FromHost>(br#"{"t":"done","tx":1,"gen":2,"outcome":"applied","units":{"a":1}}"#)
            .is_err()
    );
    let journal = |it: &str| {
        decode::<Update>(
            format!(r#"{{"gen":1,"cause":"save","deadlineMs":1,"journal":{it}}}"#).as_bytes(),
        )
        .unwrap()
        .journal
    };
    assert_eq!(
        ["\"all\"", "null", "{}", "[\"a\"]"].map(journal),
        [
            Journal::All,
            Journal::default(),
            Journal::default(),
            Journal::Units(vec!["a".into()])
        ]
    );
}

#[test]
fn captured_nil_is_not_lost() {
    let line = br#"{"t":"restore","tx":1,"gen":1,"content":{"roots":{"a":null}}}"#;
    let ToHost::Restore(restore) = decode(line).unwrap() else {
        panic!("a restore")
    };
    assert!(restore.content.pointer("/roots/a").is_some());
}

#[test]
fn a_line_has_a_limit() {
    let log = |n| {
        FromHost::Log(Log {
            text: "x".repeat(n),
            ..Log::default()
        })
    };
    let n_around = encode(&log(0)).unwrap().len() - 1;
    let longest = encode(&log(MAX_LINE - n_around)).unwrap();
    assert_eq!(
        decode::<FromHost>(&longest).unwrap(),
        log(MAX_LINE - n_around)
    );
    assert!(
        matches!(encode(&log(MAX_LINE - n_around + 1)), Err(WireError::TooLong(it)) if it == MAX_LINE + 1)
    );
    assert!(matches!(
        decode::<FromHost>(&vec![b' '; MAX_LINE + 1]),
        Err(WireError::TooLong(_))
    ));
}

#[test]
fn bytes_that_are_not_utf8_become_the_replacement_character() {
    let FromHost::Log(log) =
        decode(b"{\"t\":\"log\",\"level\":\"out\",\"text\":\"a\xffb\"}").unwrap()
    else {
        panic!("a log")
    };
    assert_eq!(log.text, "a\u{fffd}b");
}

#[test]
fn the_sum_is_the_one_the_hosts_compute() {
    // By hand: "ab" is 97 × 31 + 98; five bytes 255 pass the modulus once each step stays below 2^53.
    assert_eq!(polynomial_sum(b"ab"), 97 * 31 + 98);
    let by_hand = (0..8).fold(0u128, |sum, _| sum * 31 + 255) % ((1 << 31) - 1);
    assert_eq!(u128::from(polynomial_sum(&[255; 8])), by_hand);
}

proptest! {
    #[test]
    fn a_source_of_any_bytes_travels_unchanged(bytes: Vec<u8>) {
        let mut unit = Unit::default();
        unit.set_source(&bytes);
        let line = encode(&unit).unwrap();
        let back: Unit = decode(&line).unwrap();
        prop_assert_eq!(back.source().unwrap().into_owned(), bytes);
    }
}
