package collect

import "strconv"

// Answer is what comes before the body of an answer, exactly as the engine is
// told of it.
type Answer struct {
	Status int
	Proto  string
	// Media is what the Content-Type says without parameters.
	Media  string
	Fields []Field
}

// Answer tells of all that an answer holds, or would hold in one phase or the
// other: the engine asks rules about the head of an answer when it has no body
// yet.
func (w *Walker) Answer(a *Answer, body string, to Sink) error {
	w.to = to
	for i := range a.Fields {
		f := &a.Fields[i]
		if f.Name == "" {
			return ErrField
		}
		if err := w.tell(ResponseHeadersNames, f.Name, f.Name); err != nil {
			return err
		}
		if err := w.tell(ResponseHeaders, f.Name, f.Value); err != nil {
			return err
		}
	}
	for _, t := range [...]value{
		{ResponseStatus, "", strconv.Itoa(a.Status)}, {ResponseProtocol, "", a.Proto}, {ResponseContentType, "", a.Media},
		{ResponseContentLength, "", ""}, {ResponseContentLength, "", strconv.Itoa(len(body))},
		{ResponseBody, "", ""}, {ResponseBody, "", body},
	} {
		if err := w.tell(t.v, t.name, t.value); err != nil {
			return err
		}
	}
	return nil
}
