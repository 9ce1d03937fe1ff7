package trial

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds on a pasted command: what browsers copy is a few KiB.
const (
	commandMost = 256 << 10
	wordsMost   = 1000
)

// words splits the first command of a text as a POSIX shell would, with the
// $'...' of bash, which browsers copy. It expands nothing: what only a shell
// knows is an error, and redirections are left out.
func words(text string) ([]string, error) {
	switch {
	case len(text) > commandMost:
		return nil, fmt.Errorf("the command is longer than %d bytes", commandMost)
	case !utf8.ValidString(text):
		return nil, errors.New("the command is not UTF-8 text")
	}
	s := shell{rest: strings.ReplaceAll(text, "\r\n", "\n")}
	for {
		word, ok, err := s.word()
		if err != nil {
			return nil, err
		}
		if !ok {
			return s.words, nil
		}
		if len(s.words) == wordsMost {
			return nil, fmt.Errorf("the command has more than %d words", wordsMost)
		}
		s.words = append(s.words, word)
	}
}

type shell struct {
	rest  string
	words []string
}

// word is the next word; false at the end of the command.
func (s *shell) word() (word string, ok bool, err error) {
	s.blank()
	var out strings.Builder
	begun := false
	for s.rest != "" {
		c := s.rest[0]
		switch {
		case c == ' ' || c == '\t':
			return out.String(), begun, nil
		case c == '\n' || c == ';' || c == '|' || c == '&':
			if !begun && c == '\n' && len(s.words) == 0 {
				s.rest = s.rest[1:]
				s.blank()
				continue
			}
			s.rest = "\n" // what follows is another command
			return out.String(), begun, nil
		case c == '>' || c == '<':
			return s.redirect(out.String())
		case c == '#' && !begun:
			end := strings.IndexByte(s.rest, '\n')
			if end < 0 {
				end = len(s.rest)
			}
			s.rest = s.rest[end:]
		default:
			begun = true
			if err := s.piece(&out); err != nil {
				return "", false, err
			}
		}
	}
	return out.String(), begun, nil
}

// blank passes over what separates words.
func (s *shell) blank() {
	for {
		trimmed := strings.TrimLeft(s.rest, " \t")
		trimmed = strings.TrimPrefix(trimmed, "\\\n")
		if trimmed == s.rest {
			return
		}
		s.rest = trimmed
	}
}

// redirect leaves out a redirection and its file; before is what stood right
// before it, which is its number or a word.
func (s *shell) redirect(before string) (string, bool, error) {
	s.rest = strings.TrimLeft(s.rest, "><&")
	if _, _, err := s.word(); err != nil {
		return "", false, err
	}
	if _, err := strconv.Atoi(before); before != "" && err != nil {
		return before, true, nil
	}
	return s.word()
}

// piece takes the next part of a word, quoted or not.
func (s *shell) piece(out *strings.Builder) error {
	c := s.rest[0]
	switch {
	case c == '\'':
		return s.until("'", func(text string) error { out.WriteString(text); return nil })
	case c == '"':
		return s.double(out)
	case strings.HasPrefix(s.rest, "$'"):
		return s.ansi(out)
	case c == '\\':
		if len(s.rest) == 1 {
			return errors.New("the command ends with a backslash")
		}
		if s.rest[1] != '\n' {
			out.WriteByte(s.rest[1])
		}
		s.rest = s.rest[2:]
		return nil
	case c == '`', c == '$' && len(s.rest) > 1 && !strings.ContainsRune(" \t\n", rune(s.rest[1])):
		return unknowable(s.rest)
	}
	out.WriteByte(c)
	s.rest = s.rest[1:]
	return nil
}

// until gives what stands between the quote at the beginning and the next.
func (s *shell) until(quote string, then func(text string) error) error {
	text, rest, closed := strings.Cut(s.rest[len(quote):], quote)
	if !closed {
		return errors.New("a quote is not closed")
	}
	s.rest = rest
	return then(text)
}

// double takes a text in double quotes.
func (s *shell) double(out *strings.Builder) error {
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; c {
		case '"':
			s.rest = s.rest[i+1:]
			return nil
		case '`', '$':
			if next := s.rest[i+1:]; c == '`' || next != "" && (next[0] == '(' || next[0] == '{' || next[0] == '_' || isLetter(next[0])) {
				return unknowable(s.rest[i:])
			}
			out.WriteByte(c)
		case '\\':
			if i+1 == len(s.rest) {
				return errors.New("a quote is not closed")
			}
			i++
			if !strings.ContainsRune("$`\"\\\n", rune(s.rest[i])) {
				out.WriteByte('\\')
			}
			if s.rest[i] != '\n' {
				out.WriteByte(s.rest[i])
			}
		default:
			out.WriteByte(c)
		}
	}
	return errors.New("a quote is not closed")
}

// ansi takes a text in $'...'.
func (s *shell) ansi(out *strings.Builder) error {
	rest := s.rest[2:]
	for rest != "" {
		switch rest[0] {
		case '\'':
			s.rest = rest[1:]
			return nil
		case '\\':
			if len(rest) == 1 {
				return errors.New("a quote is not closed")
			}
			if strings.IndexByte(`'"?`, rest[1]) >= 0 {
				out.WriteByte(rest[1])
				rest = rest[2:]
				continue
			}
			if rest[1] == 'e' || rest[1] == 'E' {
				out.WriteByte(0x1b)
				rest = rest[2:]
				continue
			}
			r, multibyte, tail, err := strconv.UnquoteChar(rest, 0)
			if err != nil {
				return fmt.Errorf("$'...' holds the escape %.4q, which is not understood here", rest)
			}
			if r < utf8.RuneSelf || !multibyte {
				out.WriteByte(byte(r))
			} else {
				out.WriteRune(r)
			}
			rest = tail
		default:
			out.WriteByte(rest[0])
			rest = rest[1:]
		}
	}
	return errors.New("a quote is not closed")
}

func unknowable(text string) error {
	end := strings.IndexAny(text, " \t\n\"")
	if end < 0 {
		end = len(text)
	}
	return fmt.Errorf("the command holds %.32q, which only a shell can fill in: paste it with the value", text[:end])
}

func isLetter(c byte) bool { c |= 0x20; return 'a' <= c && c <= 'z' }
