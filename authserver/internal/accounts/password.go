package accounts

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// MinPassword and MaxPassword bound a password, in characters (NIST SP
	// 800-63B 3.1.1.2): the upper bound leaves room for any sentence.
	MinPassword = 8
	MaxPassword = 200
)

// normalizePassword makes what two keyboards send for the same characters the
// same password (NIST SP 800-63B 3.1.1.2).
func normalizePassword(typed string) string { return norm.NFKC.String(typed) }

// checkPassword says, in a sentence for the person, why a normalised password
// will not do; empty if it will. It asks for no digits and no signs: that makes
// passwords worse. It refuses those that are guessed first.
func checkPassword(password, email string) string {
	length := utf8.RuneCountInString(password)
	local, _, _ := strings.Cut(email, "@")
	folded := strings.ToLower(password)
	switch {
	case length == 0:
		return "Type a password."
	case length < MinPassword:
		return "This password is too short: use 8 characters or more."
	case length > MaxPassword:
		return "This password is too long: use 200 characters or fewer."
	case email != "" && (folded == email || folded == local):
		return "This is your e-mail address: choose something that others do not know."
	case strings.Count(password, password[:utf8RuneLen(password)]) == length, slices.Contains(commonPasswords(), folded):
		return "This password is one of the first that are guessed: choose another."
	}
	return ""
}

func utf8RuneLen(text string) int {
	_, size := utf8.DecodeRuneInString(text)
	return size
}

// commonPasswords are those that lists of leaked ones begin with, as far as
// they are long enough, and what the name of this service suggests.
func commonPasswords() []string {
	return strings.Fields(`
		password password1 password12 password123 password1234 passw0rd p@ssword p@ssw0rd pa$$word pass1234
		passwort passwort1 motdepasse contraseña senha123 kennwort wachtwoord parola123
		12345678 123456789 1234567890 0123456789 12341234 11112222 11223344 12344321 87654321 987654321
		9876543210 123123123 123321123 147258369 741852963 159753456 102030405 1q2w3e4r 1q2w3e4r5t 1qaz2wsx
		1qazxsw2 zaq12wsx q1w2e3r4 q1w2e3r4t5 qwertyui qwertyuiop qwerty12 qwerty123 qwerty1234 qwertz123
		azerty123 asdfghjk asdfghjkl asdf1234 asdfasdf zxcvbnm1 zxcvbnm123 abcd1234 abcdefgh abcdefghi
		abc12345 abc123456 a1b2c3d4 aa123456 aa12345678 123456aa 12345abc 1234abcd 123456abc a12345678
		iloveyou iloveyou1 iloveyou2 ilovegod sunshine sunshine1 princess princess1 football football1
		baseball baseball1 basketball superman superman1 spiderman batman123 starwars pokemon1 liverpool
		liverpool1 chelsea1 arsenal1 manchester barcelona realmadrid juventus1 whatever trustno1 letmein1
		letmein123 welcome1 welcome123 welcome2 changeme changeme1 changeme123 default1 testtest test1234
		testing1 testing123 admin123 admin1234 administrator adminadmin root1234 rootroot superuser guest123
		secret123 mysecret login123 internet computer computer1 samsung1 michelle jennifer jessica1 michael1
		charlie1 daniel123 danielle victoria alexander elizabeth benjamin christopher jonathan samantha
		summer2024 summer2025 summer2026 winter2024 winter2025 winter2026 spring2026 autumn2026 january1 monday123
		portcullis portcullis1 portcullis123 hotel123 booking1 booking123 reservation`)
}
