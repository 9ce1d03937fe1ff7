package diff

import (
	"net/netip"
	"slices"

	"portcullis/policies/policy"
)

const networkKey = "network"

// networks asks whether the source is in one of some networks. A fact names
// the smallest network it is in, of all that conditions name.
func (a asker) networks(list []policy.Value[string]) expr {
	cases := []fact{{kind: other}}
	var wanted []netip.Prefix
	for _, n := range list {
		p, err := prefix(n.V)
		if err != nil {
			return a.unreadable("network " + n.V)
		}
		wanted = append(wanted, p)
		cases = append(cases, fact{text: p.String()})
	}
	return a.ask(a.side, networkKey, cases, func(f fact) truth {
		if f.kind == other {
			return isFalse
		}
		in := netip.MustParsePrefix(f.text)
		return truthOf(slices.ContainsFunc(wanted, func(w netip.Prefix) bool { return contains(w, in) }))
	})
}

// prefix reads a network in the one way it is compared.
func prefix(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, err
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

func contains(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

// prune takes out the networks that others cover: no source is only in 10.0.0.0/8
// where both its halves are named.
func (v *variables) prune() {
	i, known := v.known[networkKey]
	if !known {
		return
	}
	var all []netip.Prefix
	for _, f := range v.list[i].cases {
		if f.kind == named {
			all = append(all, netip.MustParsePrefix(f.text))
		}
	}
	v.list[i].cases = slices.DeleteFunc(v.list[i].cases, func(f fact) bool {
		if f.kind != named {
			return false
		}
		p := netip.MustParsePrefix(f.text)
		return covered(p, slices.DeleteFunc(slices.Clone(all), func(q netip.Prefix) bool { return q == p || !contains(p, q) }))
	})
}

// covered reports whether networks within p leave nothing of it.
func covered(p netip.Prefix, by []netip.Prefix) bool {
	if len(by) == 0 {
		return false
	}
	if slices.ContainsFunc(by, func(q netip.Prefix) bool { return contains(q, p) }) {
		return true
	}
	if p.Bits() == p.Addr().BitLen() {
		return false
	}
	low := netip.PrefixFrom(p.Addr(), p.Bits()+1)
	bytes := p.Addr().AsSlice()
	bytes[p.Bits()/8] |= 1 << (7 - p.Bits()%8)
	middle, _ := netip.AddrFromSlice(bytes)
	high := netip.PrefixFrom(middle, p.Bits()+1)
	part := func(half netip.Prefix) []netip.Prefix {
		return slices.DeleteFunc(slices.Clone(by), func(q netip.Prefix) bool { return !q.Overlaps(half) })
	}
	return covered(low, part(low)) && covered(high, part(high))
}
