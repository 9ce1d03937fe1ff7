package oauth

import "testing"

func TestOneClientThatListensLeavesRoomForTheOthers(t *testing.T) {
	t.Parallel()
	s := seats{taken: map[string]int{}}
	for i := range maxStreamsEach {
		if !s.enter("greedy") {
			t.Fatalf("stream %d is refused", i)
		}
	}
	if s.enter("greedy") {
		t.Error("one client has more than its part")
	}
	for _, client := range []string{"a", "b", "c"} {
		for range maxStreamsEach {
			if !s.enter(client) {
				t.Fatalf("%s finds no room", client)
			}
		}
	}
	if s.enter("d") {
		t.Error("there are more than all")
	}
	s.leave("greedy")
	if !s.enter("d") || len(s.taken) != 5 {
		t.Error("who leaves makes no room")
	}
}
