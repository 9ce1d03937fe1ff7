package edge

import (
	"net/http/httptest"
	"strings"
	"testing"

	"portcullis/gateway/internal/pipeline"
)

func TestAnEventTellsWhatTheWAFFoundInAnAnswer(t *testing.T) {
	tx := &pipeline.Transaction{
		Request: httptest.NewRequest("GET", "/v1/hotels", nil), Route: &pipeline.Route{Name: "hotels"},
		WAF: pipeline.Inspection{Ran: true, Answer: pipeline.AnswerInspection{Ran: true, Score: 5, Rules: []int{951230, 950130}}},
	}
	for want, told := range map[string]bool{
		`"waf":{"score":0,"rules":[],"answer":{"score":5,"rules":[951230,950130]}}`: true,
		`"waf":{"score":0,"rules":[]}`:                                              false,
	} {
		tx.WAF.Answer.Ran = told
		if line := string(appendEvent(nil, tx, &outcome{})); !strings.Contains(line, want) {
			t.Errorf("%s\nlacks %s", line, want)
		}
	}
}
