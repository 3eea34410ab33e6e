//! Frames against the committed ones in `tests/data/top`.

use super::*;
use crate::status::made_up;
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer, layout::Rect};

const ADDRESS: &str = "127.0.0.1:8480";

fn view(status: Option<BoxStatus>, trouble: Option<&str>) -> View {
    View {
        address: ADDRESS.parse().unwrap(),
        status,
        trouble: trouble.map(str::to_owned),
        now: WallTime(made_up::NOW.0 + 12_000),
    }
}

/// A frame as lines of text, without what is blank at their ends.
fn text(frame: &Buffer) -> String {
    let Rect { width, height, .. } = frame.area;
    let mut out = String::new();
    for y in 0..height {
        let row: String = (0..width).filter_map(|x| frame.cell((x, y))).map(|cell| cell.symbol()).collect();
        out.push_str(row.trim_end());
        out.push('\n');
    }
    out
}

/// What a terminal of this size shows.
fn frame(view: &View, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw::draw(view, frame.area(), frame.buffer_mut())).unwrap();
    text(terminal.backend().buffer())
}

fn assert_frame(name: &str, committed: &str, drawn: &str) {
    assert!(drawn == committed, "if this is meant, put into tests/data/top/{name}.txt:\n{drawn}");
}

#[test]
fn an_idle_box() {
    let drawn = frame(&view(Some(made_up::idle()), None), 80, 24);
    assert_frame("idle", include_str!("../../../tests/data/top/idle.txt"), &drawn);
}

#[test]
fn a_busy_box() {
    let drawn = frame(&view(Some(made_up::busy()), None), 80, 30);
    assert_frame("busy", include_str!("../../../tests/data/top/busy.txt"), &drawn);
}

#[test]
fn a_busy_box_in_a_narrow_terminal() {
    let drawn = frame(&view(Some(made_up::busy()), None), 44, 40);
    assert_frame("narrow", include_str!("../../../tests/data/top/narrow.txt"), &drawn);
}

#[test]
fn a_box_that_is_gone() {
    let gone = "the box does not answer on 127.0.0.1:8480: connection refused";
    let drawn = frame(&view(Some(made_up::idle()), Some(gone)), 80, 24);
    assert_frame("gone", include_str!("../../../tests/data/top/gone.txt"), &drawn);
    let never = frame(&view(None, Some(gone)), 80, 4);
    assert!(never.starts_with(gone) && never.contains("ringside doctor"), "{never}");
    assert!(frame(&view(None, None), 80, 4).starts_with("Asking 127.0.0.1:8480 …"));
}

#[test]
fn no_terminal_is_too_small() {
    for (width, height) in [(1, 1), (3, 2), (10, 3), (20, 1)] {
        frame(&view(Some(made_up::busy()), Some("gone")), width, height);
    }
    let low = frame(&view(Some(made_up::busy()), None), 80, 12);
    assert!(low.ends_with("q quits · 15 rows more\n"), "{low}");
    let mut nothing = Buffer::empty(Rect::new(0, 0, 0, 0));
    draw::draw(&view(Some(made_up::busy()), None), nothing.area, &mut nothing);
}

#[test]
fn q_escape_and_control_c_quit_and_nothing_else() {
    let key = |code, modifiers| KeyEvent::new(code, modifiers);
    assert!(quits(key(KeyCode::Char('q'), KeyModifiers::NONE)));
    assert!(quits(key(KeyCode::Esc, KeyModifiers::NONE)));
    assert!(quits(key(KeyCode::Char('c'), KeyModifiers::CONTROL)));
    assert!(!quits(key(KeyCode::Char('c'), KeyModifiers::NONE)));
    assert!(!quits(key(KeyCode::Enter, KeyModifiers::NONE)));
}

#[test]
fn an_answer_ends_the_trouble_and_trouble_keeps_the_last_answer() {
    let mut view = view(None, Some("gone"));
    view.take(Ok(made_up::idle()));
    assert!(view.trouble.is_none());
    view.take(Err("gone again".to_owned()));
    assert_eq!((view.status, view.trouble.as_deref()), (Some(made_up::idle()), Some("gone again")));
}
