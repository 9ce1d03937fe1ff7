package waf

import (
	"fmt"

	"portcullis/gateway/internal/pipeline"
)

// answerReason tells what a profile found in an answer.
func (u *Use) answerReason(found pipeline.AnswerInspection) pipeline.Reason {
	r := pipeline.Reason{Text: fmt.Sprintf("the answer, threshold %d", u.profile.Outbound), State: pipeline.Holds, Value: fmt.Sprintf("score %d", found.Score)}
	if found.Partly {
		r.Text = fmt.Sprintf("the first %d bytes of the answer, threshold %d", u.profile.Responses.Body, u.profile.Outbound)
	}
	withheld := found.Score >= u.profile.Outbound
	if withheld {
		r.State = pipeline.Fails
	}
	for _, m := range found.Matches {
		r.Under = append(r.Under, hit(m, withheld))
	}
	if found.Proof.Asked {
		r.Under = append(r.Under, proofReason(found.Proof))
	}
	return r
}
