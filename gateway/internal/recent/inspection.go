package recent

import "portcullis/gateway/internal/pipeline"

// inspection keeps what one profile found. It points to no value of the request.
func (w *writer) inspection(i *pipeline.Inspection) {
	w.short(i.Profile)
	w.flag(i.Ran)
	w.number(int64(i.Score))
	w.numbers(i.Rules)
	w.numbers(i.Excluded)
	w.flag(i.Proof.Asked)
	w.flag(i.Proof.Clean)
	w.number(int64(i.Proof.Rule))
	w.short(i.Proof.Why)
	matches := i.Matches[:w.most(len(i.Matches))]
	w.number(int64(len(matches)))
	for i := range matches {
		m := &matches[i]
		w.number(int64(m.Rule))
		w.short(m.Target)
		w.short(m.Message)
		w.flag(m.Denies)
	}
}

func (r *reader) inspection() (i pipeline.Inspection) {
	i.Profile = r.string()
	i.Ran = r.flag()
	i.Score = int(r.number())
	i.Rules = r.numbers()
	i.Excluded = r.numbers()
	i.Proof = pipeline.Proof{Asked: r.flag(), Clean: r.flag(), Rule: int(r.number()), Why: r.string()}
	for range r.number() {
		i.Matches = append(i.Matches, pipeline.Match{Rule: int(r.number()), Target: r.string(), Message: r.string(), Denies: r.flag()})
	}
	return i
}

func (w *writer) inspections(all []pipeline.Inspection) {
	all = all[:w.most(len(all))]
	w.number(int64(len(all)))
	for i := range all {
		w.inspection(&all[i])
	}
}

func (r *reader) inspections() (all []pipeline.Inspection) {
	for range r.number() {
		all = append(all, r.inspection())
	}
	return all
}

func (w *writer) numbers(all []int) {
	all = all[:w.most(len(all))]
	w.number(int64(len(all)))
	for _, n := range all {
		w.number(int64(n))
	}
}

func (r *reader) numbers() (all []int) {
	for range r.number() {
		all = append(all, int(r.number()))
	}
	return all
}
