%% The kernel's figures in Erlang. Run by kernel.py as `escript kernel.erl ROUNDS`; prints `name value` a line.
-mode(compile).
-export([main/1]).

-define(TELLS, 200000).
-define(ASKS, 100000).
-define(SPAWNED, 10000).
-define(IN_FLIGHT, 100).

main([Rounds]) ->
    N = list_to_integer(Rounds),
    print("tell", [tell() || _ <- lists:seq(1, N)]),
    print("ask", [ask() || _ <- lists:seq(1, N)]),
    print("asks", [asks() || _ <- lists:seq(1, N)]),
    print("spawn", [spawned() || _ <- lists:seq(1, N)]),
    print("bytes", [bytes()]).

counter(Total) ->
    receive
        {add, N} -> counter(Total + N);
        {get, From, Ref} -> From ! {Ref, Total}, counter(Total);
        stop -> ok
    end.

call(Pid) ->
    Ref = make_ref(),
    Pid ! {get, self(), Ref},
    receive {Ref, Reply} -> Reply end.

tell() ->
    Pid = spawn(fun() -> counter(0) end),
    Took = timed(fun() -> repeat(?TELLS, fun() -> Pid ! {add, 1} end), ?TELLS = call(Pid) end),
    Pid ! stop,
    ?TELLS / Took.

ask() ->
    Pid = spawn(fun() -> counter(0) end),
    Took = timed(fun() -> repeat(?ASKS, fun() -> call(Pid) end) end),
    Pid ! stop,
    ?ASKS / Took.

asks() ->
    Pid = spawn(fun() -> counter(0) end),
    Each = ?ASKS div ?IN_FLIGHT,
    Took = timed(fun() ->
        Askers = [spawn_monitor(fun() -> repeat(Each, fun() -> call(Pid) end) end)
                  || _ <- lists:seq(1, ?IN_FLIGHT)],
        [receive {'DOWN', Ref, process, Asker, _} -> ok end || {Asker, Ref} <- Askers]
    end),
    Pid ! stop,
    ?ASKS / Took.

spawned() ->
    timed(fun() ->
        All = [spawn_monitor(fun() -> counter(0) end) || _ <- lists:seq(1, ?SPAWNED)],
        [Pid ! {add, 1} || {Pid, _} <- All],
        [begin Pid ! stop, receive {'DOWN', Ref, process, Pid, _} -> ok end end || {Pid, Ref} <- All]
    end).

bytes() ->
    All = [spawn(fun() -> counter(0) end) || _ <- lists:seq(1, ?SPAWNED)],
    Memory = [element(2, erlang:process_info(Pid, memory)) || Pid <- All],
    [Pid ! stop || Pid <- All],
    lists:sum(Memory) / ?SPAWNED.

repeat(0, _) -> ok;
repeat(N, F) -> F(), repeat(N - 1, F).

timed(F) ->
    Began = erlang:monotonic_time(nanosecond),
    F(),
    (erlang:monotonic_time(nanosecond) - Began) / 1.0e9.

print(Name, Values) ->
    Sorted = lists:sort(Values),
    io:format("~s ~w~n", [Name, lists:nth((length(Sorted) + 1) div 2, Sorted)]).
