-- Descriptions as guests read them, hotels in Athens and Sofia, and the names
-- under which people look for a city: in small letters and without accents.
WITH texts (id, about) AS (VALUES
	('h-1', 'A brick warehouse on the harbour side of Katajanokka, where the big ferries turn. The rooms kept their cast-iron columns and got oak floors; the sauna on the roof looks over the islands, and it is warm from six in the evening.'),
	('h-2', 'Quiet rooms round a planted courtyard in Kallio, five tram stops from the station. The bakery on the corner opens at six, the bars across the street close late, and you will hear neither.'),
	('h-3', 'A grand house facing the park since 1913, with tall windows, deep armchairs and breakfast until eleven. Ask for the third floor: its balconies are at the height of the lime trees.'),
	('h-4', 'Small rooms with large windows, the bay across the street and the opera at the end of the path. Everything you need is there, in the place where you would look for it.'),
	('h-5', 'Sleep on the fortress island, among ramparts and lilacs, when the day trippers have gone. The kitchen is shared, the beach is round the corner and the last ferry leaves at two in the morning.'),
	('h-6', 'One round room at the top of a lighthouse, with a bed, a stove and the sea on all sides. There are 112 steps and no lift; breakfast comes up in a basket when you ring the bell.'),
	('h-7', 'A former cotton mill above the rapids, in the middle of Tampere. Thick walls keep the hum of the water outside until you open the window, which most guests do.'),
	('h-8', 'Pines all round, a lake on both sides and the doughnuts of the old observation tower next door. The ten rooms share a reading room, a sauna and a rowing boat.'),
	('h-9', 'Rooms built into the medieval town wall, some with a stair of their own. Walls two metres thick make them cool in summer and very quiet; doors were made for shorter people, so mind your head.'),
	('h-10', 'A painted wooden house from 1910 between the market hall and the sea. Flats for up to four, tiled stoves that work, and a garden where somebody usually plays the accordion on Sundays.'),
	('h-11', 'Two minutes from the ferry and ten from the town hall square, for those who come late or leave early. Breakfast begins at five, family rooms take four, and the luggage room never closes.'),
	('h-12', 'At the top of 400 steps on Södermalm, or of one lift if you prefer. The rooms under the roof look over the whole old town, and the bar serves what the brewery downstairs made last week.'),
	('h-13', 'Marines slept here for two hundred years; the beds are new. White rooms in a long yellow barracks on a museum island, with lawns to the water and a bridge to the city.'),
	('h-14', 'A corner house by the park with a library of four thousand books, which guests may finish at home and send back. Family rooms have a window seat that is just long enough for a child.'),
	('h-15', 'Eight cabins among the rocks of the outer archipelago, an hour from the quay by our own boat. Each sleeps six, with a kitchen, a woodstove and a jetty; bring food, and something to read for when it blows.'),
	('h-16', 'Seven rooms under the roof of a house from 1723, right above the coloured gables of the harbour. The stairs are steep, the beams are crooked, and the view is the one from the postcards.'),
	('h-17', 'Shipping containers turned into bright rooms on the old shipyard, with a sauna that ends in the harbour basin. Street food, a climbing wall and the ferry to the centre are next door.'),
	('h-18', 'A garden villa whose hedge is also that of the zoo: on warm evenings you will hear the elephants. Wide beds, a croquet lawn and a kindergarten corner at breakfast.'),
	('h-19', 'Every room sees the fjord, from the bath as well as from the bed. Terraces step down to the water; in winter there is a sauna on a raft, and somebody who breaks the ice for you.'),
	('h-20', 'Above a coffee roastery in Oslo''s liveliest quarter, which you will smell before you see it. Plain, well made rooms, records to borrow, and a cup of the day''s roast as the key is handed over.'),
	('h-21', 'At the end of the metro and the beginning of the forest. Skis and sledges can be borrowed, family rooms take six in bunks, and the fire in the hall is lit from October to May.'),
	('h-22', 'Through the arch, through the first courtyard and into the second, where the chestnut stands: it is hard to believe that this is the middle of Berlin. Breakfast is outside from April.'),
	('h-23', 'A river boat that no longer goes anywhere, with eleven cabins and a deck full of tomatoes. At night you will rock a little when the late barges pass.'),
	('h-24', 'By the field that was an airport and is now the largest lawn of the city. Bright rooms for up to four, bicycles and kites to borrow, and the underground at the door.'),
	('h-25', 'A bookshop with beds: thirteen rooms, each furnished round one shelf. Readings on Thursdays, silence after ten, and a night porter who knows what to recommend.'),
	('h-26', 'Blue tiles, many stairs and the river below. Ten rooms in a house that survived the earthquake, with a roof where swifts come by at eye level.'),
	('h-27', 'The sunset is included: from the terrace on the highest hill of Lisbon you see the bridge, the castle and the tram that brought you. Rooms are simple, and cool behind their shutters.'),
	('h-28', 'Next to the dock from which the caravels left, with custard tarts at the door. Large rooms for families, a pool in the yard and the train to the beaches two minutes away.'),
	('h-29', 'Down a close off the Royal Mile, where the noise of the street stops after ten steps. Stone walls, wool blankets, and a fire in the snug all through the year.'),
	('h-30', 'Where the ships came in, and the best fish still does. A merchant''s house with tall sash windows on the water of Leith, and a bus to the castle every six minutes.'),
	('h-31', 'Opposite the hill that everybody climbs, with boots to lend and a drying room for afterwards. Porridge is made properly here, which takes all night.'),
	('h-32', 'Four bronze dragons guard the way to breakfast. Rooms to the river are lively until the cafés close; those to the yard look into a garden of figs.'),
	('h-33', 'A garden house in the old market gardeners'' quarter, ten minutes on foot from the castle: the lettuce is ours, and so are the bees. Flats for four, with a kitchen and a patch you may pick from.'),
	('h-34', 'Behind the market stalls, where the first spices of the day come up through the window. Small elegant rooms with parquet, and a bar that mixes nothing which cannot be bought downstairs.'),
	('h-35', 'The giant wheel turns outside the window, slowly enough to fall asleep by. Rooms for four, a playroom in the cellar and the longest avenue of chestnuts to run along in the morning.'),
	('h-36', 'A coffee house that has let rooms since 1898. The papers hang on their sticks, the head waiter is never in a hurry, and hotel guests may stay at their table after closing time.'),
	('h-37', 'Basalt outside, birch inside, and hot water straight from the ground. The tub on the roof is open all night; the harbour and the whales'' tour boats are across the street.'),
	('h-38', 'A corner house with thick curtains and a bell: they wake you when the sky is green. On all other nights there is a library on northern lights, and soup until midnight.')
)
UPDATE hotels SET about = texts.about FROM texts WHERE texts.id = hotels.id;

INSERT INTO hotels (id, name, city, country, about, rooms, sleeps, amount, currency) VALUES
	('h-39', 'Ξενώνας Ανεμώνη', 'Athens', 'GR', 'A neoclassical house in Plaka with a marble stair and nine high rooms. Breakfast is served in the courtyard under a bitter orange tree; the rock of the Acropolis begins behind the last house of the lane.', 9, 3, 11800, 'EUR'),
	('h-40', 'Λυκαβηττός Θέα', 'Athens', 'GR', 'On the slope of Lycabettus, where the streets turn into stairs. The pool on the roof is small and the view from it is not: city, gulf and islands, as far as Aegina on a clear day.', 34, 4, 16400, 'EUR'),
	('h-41', 'Kerameikos Yard', 'Athens', 'GR', 'A silk mill turned into a hundred plain rooms round a yard with fig trees. Bunks for families, lockers for bicycles and a kitchen for everybody, two minutes from the metro.', 100, 6, 6900, 'EUR'),
	('h-42', 'Хотел Витоша', 'Sofia', 'BG', 'Rooms on the south side look straight at the mountain after which the house is named. Trams stop at the door, and in winter the porter knows how much snow there is on top.', 46, 3, 7400, 'EUR'),
	('h-43', 'Къща Липа', 'Sofia', 'BG', 'Five rooms in a linden-shaded house of the 1920s, kept by the family who built it. There is a piano, a stove in each room, and yoghurt at breakfast that explains itself.', 5, 2, 8200, 'EUR'),
	('h-44', 'Serdica Baths Hotel', 'Sofia', 'BG', 'Beside the old mineral baths, whose warm spring you can still drink from. Twelve suites under the domes take up to eight, with a long table each; the Roman stones are in the cellar.', 12, 8, 21900, 'EUR');

CREATE TABLE places (
	name TEXT PRIMARY KEY,
	city TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO places (name, city) VALUES
	('helsinki', 'Helsinki'), ('helsingfors', 'Helsinki'),
	('tampere', 'Tampere'), ('tammerfors', 'Tampere'),
	('tallinn', 'Tallinn'),
	('stockholm', 'Stockholm'), ('tukholma', 'Stockholm'),
	('copenhagen', 'Copenhagen'), ('københavn', 'Copenhagen'), ('kobenhavn', 'Copenhagen'), ('kopenhagen', 'Copenhagen'),
	('oslo', 'Oslo'),
	('berlin', 'Berlin'),
	('lisbon', 'Lisbon'), ('lisboa', 'Lisbon'), ('lissabon', 'Lisbon'),
	('edinburgh', 'Edinburgh'), ('dun eideann', 'Edinburgh'),
	('ljubljana', 'Ljubljana'),
	('vienna', 'Vienna'), ('wien', 'Vienna'),
	('reykjavik', 'Reykjavík'),
	('athens', 'Athens'), ('αθηνα', 'Athens'), ('athina', 'Athens'), ('athen', 'Athens'),
	('sofia', 'Sofia'), ('софия', 'Sofia'), ('sofiya', 'Sofia');
