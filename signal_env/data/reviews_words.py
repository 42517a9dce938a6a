"""The language of the reviews corpus: graded words, words that modify them, and the grammar.

This module holds only tables, which `signal_env.data.reviews` reads. In a list, `|` or a line break separates entries.
"""

GRADED = {
    "adjective": {
        2: """brilliant|great|superb|wonderful|magnificent|unforgettable|stunning|masterful|dazzling|exquisite
            extraordinary|outstanding|sublime|flawless""",
        1: """charming|good|funny|clever|warm|graceful|witty|lively|elegant|moving|inventive|tender|subtle|vivid
            honest|thoughtful|affecting|absorbing|likable|polished|sharp|engaging|amusing|playful|refreshing""",
        -1: """dull|bad|thin|boring|clumsy|predictable|muddled|stale|flat|sluggish|lifeless|bland|forced|hollow
            shallow|tired|awkward|tedious|stilted|contrived|uneven|trite|sloppy|listless|wooden""",
        -2: """awful|terrible|dreadful|horrible|painful|unbearable|atrocious|insufferable|disastrous|abysmal
            excruciating|appalling|wretched|incoherent""",
    },
    "noun": {
        2: "brilliance|magic|splendor|beauty|wonder",
        1: "charm|wit|grace|warmth|energy|tension|style|insight|heart|imagination|flair|spirit",
        -1: "tedium|padding|filler|confusion|clutter|monotony|bluster|clumsiness|dullness|repetition|laziness|fuss",
        -2: "drivel|nonsense|garbage|stupidity|incompetence",
    },
    "verdict": {
        2: "masterpiece|triumph|marvel|knockout",
        1: "treat|delight|gem|charmer|winner",
        -1: "bore|chore|letdown|slog|misfire",
        -2: "disaster|mess|fiasco|travesty",
    },
    "verb": {
        2: "dazzle|soar|enchant|triumph|astonish",
        1: "charm|shine|sparkle|engage|amuse|entertain|glow|captivate",
        -1: "drag|sag|stumble|falter|bore|plod|disappoint|meander",
        -2: "collapse|flounder|infuriate|implode|nauseate",
    },
    "verbs": {
        2: "dazzles|soars|enchants|triumphs|astonishes",
        1: "charms|shines|sparkles|engages|amuses|entertains|glows|captivates",
        -1: "drags|sags|stumbles|falters|bores|plods|disappoints|meanders",
        -2: "collapses|flounders|infuriates|implodes|nauseates",
    },
    "attitude": {
        2: "adore|cherish|treasure|worship",
        1: "enjoy|admire|savor|recommend|applaud|appreciate",
        -1: "regret|resent|dislike|endure|deplore|forget",
        -2: "hate|loathe|detest|despise",
    },
    "adverb": {
        2: "brilliantly|superbly|magnificently|exquisitely",
        1: "beautifully|cleverly|gracefully|skillfully|tenderly|confidently|crisply|elegantly",
        -1: "clumsily|poorly|lazily|carelessly|sloppily|awkwardly|drearily|sluggishly",
        -2: "dreadfully|atrociously|abysmally|horribly",
    },
    "dismiss": {-1: "skip", -2: "shun"},
}
"""Words by grammar symbol and by grade, from -2 (scathing) to 2 (enthusiastic), the most frequent first."""

INTENSIFIERS = "very|truly|deeply|utterly|remarkably|so|incredibly|genuinely|thoroughly|absolutely"
DAMPENERS = "slightly|somewhat|mildly|fairly|faintly|occasionally|a bit|a little"
NEGATORS = """
    not|no|never|neither|nor|nobody|nothing|hardly|barely|scarcely|rarely|seldom|cannot|without|less|hard|impossible
    lack|lacks|avoid|avoids|fail|fails|waste|wastes|squander|squanders
    far from|anything but|free of|devoid of|short on|short of
    """
CONTRASTS = "but|yet"
CONCEDERS = "although|though|while|despite|unless|for all"

OPERATORS = {"-": (-1, -1.0), "~": (-1, 0.5), "!": (-1, 1.0), "*": (1, 2.0), "%": (1, 0.5)}
"""Marks before a slot's symbol, with the factors of the slot's polarity and of its score: negated (-), conceded (~),
opposed (!), intensified (*) and dampened (%)."""

GRAMMAR = {
    "review": """
        4 {sentence} {when}
        4 {opening}, {sentence}
        12 {sentence} and {clause}
        12 {sentence}, and {clause}
        8 {sentence}; {clause}
        3 {sentence}, which is why {viewer} will {attitude} it
        20 {phrase}
        14 {phrase}: {clause}
        4 {advice}
        3 {advice}; {clause}
        {~clause}, but {sentence}
        {~clause} but {clause} {when}
        {~clause}, yet {sentence}
        {~clause}, but {clause} and {clause}
        {~phrase}, but {clause}
        although {~clause}, {sentence}
        though {~clause}, {sentence}
        while {~clause}, {sentence}
        {clause}, although {~clause}
        {sentence} even though {~clause}
        despite {~thing}, {sentence}
        for all the {~noun}, {sentence}
        {sentence} despite {~thing}
        {phrase} despite {~thing}
        {!clause}; {clause}; {clause}
        the {part} is {very} {*adjective} and the {part} only {slightly} {!%adjective}
        the {parts} are so {*adjective} that the {!adjective} {part} goes unnoticed
        """,
    "sentence": """
        2 {clause}
        2 the {part} of this {genre} is {state}
        2 the {parts} in this {genre} are {state}
        this {genre} {about} {acts}
        this {genre} {about} {has}
        this {genre} {about} is {made}
        this {genre} {about} is a {verdict}
        """,
    "clause": """
        14 the {part} is {state}
        14 the {parts} are {state}
        4 the {part} {acts}
        4 the {parts} {act}
        4 {film} {acts}
        4 {film} {has}
        4 {film} is {made}
        4 every {unit} is {adjective}
        6 {viewer} will {attitude} {film}
        3 {viewer} will {attitude} the {part}
        {viewer} will {attitude} every {unit}
        {viewer} won't {-attitude} {film}
        nobody will {-attitude} the {part}
        it is hard to {-attitude} {film}
        it is impossible not to {attitude} the {parts}
        nothing about the {part} is {-adjective}
        there is hardly a {unit} that {-verbs}
        no {unit} is {-adjective}
        """,
    "state": """
        30 {adjective}
        6 {very} {*adjective}
        4 {slightly} {%adjective}
        30 {adjective} and {adjective}
        4 {adjective} from start to finish
        2 {never} {-adjective}
        {never} {-adjective} or {-adjective}
        neither {-adjective} nor {-adjective}
        2 {nearly} {-adjective}
        less {-adjective} than in most {genres}
        not as {-adjective} as the poster suggests
        as {adjective} as the poster suggests
        never less than {adjective}
        nothing short of {adjective}
        """,
    "acts": "12 {verbs}|8 {verbs} {moment}|never {-verbs}|rarely {-verbs}|doesn't {-verb}|{keeps}",
    "keeps+": "never fails to {verb}|never lacks {noun}",
    "keeps-": "fails to {-verb}|fails to {-verb} or {-verb}",
    "act": "12 {verb}|8 {verb} {moment}|never {-verb}|rarely {-verb}|don't {-verb}|{keep}",
    "keep+": "never fail to {verb}|never lack {noun}",
    "keep-": "fail to {-verb}|fail to {-verb} or {-verb}",
    "has+": """
        8 is full of {noun}
        6 has {noun} and {noun} to spare
        5 offers {noun} and {adjective} {parts}
        avoids {-noun}
        is free of {-noun}
        offers {noun} without {-noun}
        never wastes its {noun}
        isn't short on {noun}
        has no {-noun} in it
        """,
    "has-": """
        8 is full of {noun}
        6 has {noun} and {noun} to spare
        5 offers {noun} and {adjective} {parts}
        lacks {-noun}
        is devoid of {-noun}
        offers {noun} without {-noun}
        wastes its {-adjective} {part}
        squanders its {-noun}
        has no {-noun} in it
        """,
    "made": "10 {adverb} {done}|never {-adverb} {done}|not {-adverb} {done}",
    "phrase": """
        12 a {adjective} {genre} {about}
        20 a {adjective}, {adjective} {genre} {about}
        4 a {very} {*adjective} {genre} {about}
        2 a {genre} that {acts}
        2 a {genre} that {has}
        4 a {adverb} {done} {genre} {about}
        20 a {genre} with {adjective} {parts} and a {adjective} {feature}
        3 a {verdict} of a {genre} {about}
        2 {film} is a {verdict}
        a {genre} so {*adjective} that {viewer} will {attitude} it
        a {~adjective} but {adjective} {genre} {about}
        a {~adjective} yet {adjective} {genre} {about}
        a {genre} with no {-adjective} {parts}
        a {genre} without a {unit} that {-verbs}
        not a {-adjective} {genre} {about}
        hardly a {-adjective} {genre} {about}
        a {genre} {about} in which the {parts} {act}
        a {genre} {about} in which the {part} is {state}
        a {genre} as {adjective} as any {genre} {since}
        {film} is no {-verdict}
        nothing less than a {verdict}
        far from a {-verdict}
        """,
    "advice+": """
        {dont} {-dismiss} this {genre} {about}
        {dont} {-dismiss} it unless you {~attitude} {genres}
        4 {attitude} it for the {adjective} {part}
        4 go for the {part} and {attitude} the {adjective} {parts}
        5 expect {noun} and {adjective} {parts} from this {genre}
        never mind the {-adjective} {part}
        """,
    "advice-": """
        {dismiss} this {genre} {about}
        {dismiss} it unless you {~attitude} {genres}
        4 {dismiss} it and its {adjective} {part}
        5 expect {noun} and {adjective} {parts} from this {genre}
        {dont} expect {-noun} from this {genre}
        """,
    "thing": """
        2 a {adjective} {feature}
        2 some {adjective} {parts}
        the {adjective} {part}
        a {feature} that {acts}
        all the {noun}
        moments of {noun} and {noun}
        """,
    "never": "never|hardly|rarely|seldom|scarcely|hardly ever|never once",
    "nearly": "not|barely|far from|anything but|not remotely|not exactly|not at all",
    "very": "very|truly|deeply|utterly|remarkably|incredibly|genuinely|thoroughly|absolutely",
    "slightly": "slightly|somewhat|mildly|fairly|faintly|occasionally|a bit|a little",
    "film": "this film|the film|this movie|the movie|this picture|the picture|the story|this adaptation",
    "genre": "4 {kind}|2 {origin} {kind}|animated {kind}|low-budget {kind}|two-hour {kind}|big-budget {kind}",
    "kind": """
        thriller|western|comedy|drama|musical|documentary|romance|mystery|biopic|heist film|ghost story|war film
        road movie|spy film|fable|noir|sequel|remake|debut|courtroom drama|family saga|monster movie|space opera
        crime story|period piece|police procedural|stage adaptation
        """,
    "genres": "thrillers|westerns|comedies|dramas|musicals|documentaries|romances|mysteries|biopics|spy films|sequels",
    "origin": "norwegian|korean|french|italian|mexican|polish|japanese|brazilian|irish|turkish|canadian|australian",
    "part": "3 {feature}|2 {craft}",
    "feature": """
        plot|score|ending|villain|script|opening act|finale|soundtrack|premise|lead performance|love story
        final twist|third act|screenplay|central performance|hero
        """,
    "craft": "acting|pacing|dialogue|camera work|direction|editing|lighting|costume design|narration|sound design",
    "parts": """
        leads|performances|jokes|songs|supporting players|visuals|twists|action scenes|costumes|characters|sets
        musical numbers|chase scenes|flashbacks|side plots|stunts|special effects|monologues|locations
        """,
    "about": "|||about a {character}|about a {character} who {deed}|about two {relatives} {place}|set {place}|{source}",
    "character": """
        detective|widow|retired boxer|schoolteacher|bank clerk|jazz singer|night watchman|village priest
        taxi driver|chess player|lighthouse keeper|train conductor|farmer|runaway bride|surgeon|pilot
        """,
    "deed": """
        returns home|inherits a hotel|follows a stranger|opens a restaurant|crosses the desert|joins a choir
        hides a letter|adopts a horse|builds a boat|witnesses a robbery|moves to the coast
        """,
    "relatives": "brothers|sisters|cousins|neighbors|old friends|roommates|strangers",
    "place": """
        in a fishing village|in postwar berlin|on a night train|in rural texas|on a submarine|in a small hotel
        at a boarding school|in the arctic|in suburban tokyo|on an oil rig|at a summer camp|in lisbon|in 1970s chicago
        """,
    "source": "from a first novel|by a former editor|from a comic book|by a {origin} director|from a stage play",
    "when": "||{moment}",
    "moment": """
        in the first hour|by the second act|in the last reel|after the opening credits|from the first scene
        in the middle section|before the finale|as the story unfolds|halfway through|for two hours|at every turn
        """,
    "opening": """
        in the end|from the opening shot|on a second viewing|taken as a whole|by the third act|on the big screen
        scene by scene
        """,
    "since": "in years|in a decade|this season|this year|on screen today|from that studio|by this director",
    "unit": "scene|frame|minute|moment|line|sequence|shot|twist|subplot",
    "viewer": "you|viewers|audiences|critics|fans of {genres}|children|parents|most people",
    "dont": "do not|don't",
    "done": "written|shot|edited|acted|staged|directed|paced|scored|lit|cast|assembled|designed|photographed",
}
"""The alternatives of each symbol. A number in front is the alternative's weight (default 1). The score of an
alternative is the sum of its slots' scores. `name+` and `name-` hold the alternatives of `{name}` for praise and for
blame."""
